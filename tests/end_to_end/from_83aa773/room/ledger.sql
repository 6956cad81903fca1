BEGIN TRANSACTION;
CREATE TABLE agent_runs (host text not null, agent text not null, epoch integer not null,
    began integer not null, profile text not null, ended integer not null, seen integer not null,
    primary key (host, agent, epoch, began)) without rowid;
INSERT INTO "agent_runs" VALUES('local','count-1',1,1796005759891,'',0,1796005786112);
INSERT INTO "agent_runs" VALUES('local','docs-1',1,1796005683219,'',1796005688491,1796005688491);
INSERT INTO "agent_runs" VALUES('local','docs-1',2,1796005708405,'',1796005712259,1796005712259);
INSERT INTO "agent_runs" VALUES('local','gone-1',1,1796005736027,'',1796005738754,1796005738754);
CREATE TABLE agents (
    host text not null, name text not null, epoch integer not null, kind text not null, profile text not null,
    model text not null, cwd text not null, task text not null, at integer not null,
    primary key (host, name));
INSERT INTO "agents" VALUES('local','docs-1',2,'headless','','claude-opus-5-5','@HOME@/project','[[text more]]',1796005708375);
INSERT INTO "agents" VALUES('local','count-1',1,'command','','','project','',1796005759874);
CREATE TABLE audit (
    id integer primary key, at integer not null, who text not null, verb text not null, target text not null,
    epoch integer not null, outcome text not null, reason text not null);
INSERT INTO "audit" VALUES(1,1796005680204,'root (cli)','budget set','all',0,'done','$50.00 per day for fleet, 50:notify,80:hold,95:pause');
INSERT INTO "audit" VALUES(2,1796005684344,'root (cli)','spawn','local/docs-1',1,'done','');
INSERT INTO "audit" VALUES(3,1796005708687,'root (cli)','reassign','local/docs-1',2,'done','');
INSERT INTO "audit" VALUES(4,1796005736448,'root (cli)','spawn','local/gone-1',1,'done','');
INSERT INTO "audit" VALUES(5,1796005756728,'root (cli)','forget','local/gone-1',1,'done','');
INSERT INTO "audit" VALUES(6,1796005760320,'root (cli)','spawn','local/count-1',1,'done','');
CREATE TABLE dearest (day integer not null, model text not null, pico integer not null,
    primary key (day, model)) without rowid;
INSERT INTO "dearest" VALUES(20787,'claude-opus-4-5',115000000000);
INSERT INTO "dearest" VALUES(20787,'claude-opus-5-5',69382000000);
CREATE TABLE grants (number integer primary key, host text not null, agent text not null,
    epoch integer not null, profile text not null, billed integer, covered integer, tokens integer,
    windows text not null, at integer not null, lasts integer not null);
CREATE TABLE long_prompts (tokens integer primary key);
INSERT INTO "long_prompts" VALUES(100000);
INSERT INTO "long_prompts" VALUES(200000);
CREATE TABLE meta (key text primary key, value text not null);
INSERT INTO "meta" VALUES('format','6');
INSERT INTO "meta" VALUES('room','b615205babfff54ff634c1e84c54910c');
INSERT INTO "meta" VALUES('grant','3');
CREATE TABLE minutes (minute integer not null, billing text not null, tokens integer not null,
    primary key (minute, billing)) without rowid;
INSERT INTO "minutes" VALUES(29933428,'api',37742);
INSERT INTO "minutes" VALUES(29933429,'api',5600);
CREATE TABLE models (id integer primary key, name text not null unique);
INSERT INTO "models" VALUES(1,'unattributed');
INSERT INTO "models" VALUES(2,'claude-opus-5-5');
INSERT INTO "models" VALUES(3,'claude-opus-4-5');
CREATE TABLE orders (
    op integer primary key, verb text not null, host text not null, agent text not null, epoch integer not null,
    task text not null, who text not null, at integer not null,
    outcome text, reason text not null default '', concluded integer);
INSERT INTO "orders" VALUES(2,'spawn','local','docs-1',1,'[[text hello]]','root (cli)',1796005683182,'done','',1796005684344);
INSERT INTO "orders" VALUES(4,'reassign','local','docs-1',2,'[[text more]]','root (cli)',1796005708375,'done','',1796005708687);
INSERT INTO "orders" VALUES(6,'spawn','local','gone-1',1,'[[text bye]]','root (cli)',1796005736010,'done','',1796005736448);
INSERT INTO "orders" VALUES(8,'forget','local','gone-1',1,'','root (cli)',1796005756682,'done','',1796005756727);
INSERT INTO "orders" VALUES(9,'spawn','local','count-1',1,'','root (cli)',1796005759874,'done','',1796005760320);
CREATE TABLE rungs (budget text not null, began integer not null, percent integer not null,
    action text not null, at integer not null, primary key (budget, began, percent, action)) without rowid;
CREATE TABLE runs (run integer primary key, source integer not null, at integer not null,
    reported integer not null default 0, metered integer not null default 0, booked integer not null default 0);
INSERT INTO "runs" VALUES(768614336404564651,1,1796005696590,0,55000000000,0);
INSERT INTO "runs" VALUES(845475770045021116,2,1796005723062,0,115000000000,0);
INSERT INTO "runs" VALUES(922337203685477581,3,1796005744209,0,40000000000,0);
INSERT INTO "runs" VALUES(966551439271284364,2,1796005711954,3071000000,3071000000,0);
INSERT INTO "runs" VALUES(972036654808687485,3,1796005738445,69377000000,69377000000,0);
INSERT INTO "runs" VALUES(1127907959031116141,1,1796005688324,69382000000,69382000000,0);
CREATE TABLE sizes (day integer not null, model integer not null, least integer not null,
    prompts integer not null, outputs integer not null, primary key (day, model, least)) without rowid;
INSERT INTO "sizes" VALUES(20787,2,8,0,3);
INSERT INTO "sizes" VALUES(20787,2,13824,3,0);
INSERT INTO "sizes" VALUES(20787,3,576,0,1);
INSERT INTO "sizes" VALUES(20787,3,992,1,0);
INSERT INTO "sizes" VALUES(20787,3,1984,0,1);
INSERT INTO "sizes" VALUES(20787,3,2944,1,0);
INSERT INTO "sizes" VALUES(20787,3,3968,0,1);
INSERT INTO "sizes" VALUES(20787,3,4864,1,0);
CREATE TABLE "sources" (id integer primary key, host text not null, agent text not null,
    profile text not null, folder text not null, billing text not null, epoch integer not null,
    unique (host, agent, profile, folder, billing, epoch));
INSERT INTO "sources" VALUES(1,'local','docs-1','','@HOME@/project','api',1);
INSERT INTO "sources" VALUES(2,'local','docs-1','','@HOME@/project','api',2);
INSERT INTO "sources" VALUES(3,'local','gone-1','','@HOME@/project','api',1);
CREATE TABLE spend (quarter integer not null, source integer not null, model integer not null, flags integer not null, beyond integer not null, messages integer not null, input integer not null, output integer not null, cache_write_5m integer not null, cache_write_1h integer not null, cache_read integer not null, web_searches integer not null, pico integer not null, primary key (quarter, source, model, flags, beyond)) without rowid;
INSERT INTO "spend" VALUES(1995561,1,1,32,0,0,0,0,0,0,0,0,0);
INSERT INTO "spend" VALUES(1995561,1,2,0,0,1,3,8,13842,0,0,0,69382000000);
INSERT INTO "spend" VALUES(1995561,1,3,0,0,1,1000,2000,0,0,0,0,55000000000);
INSERT INTO "spend" VALUES(1995561,2,1,32,0,0,0,0,0,0,0,0,0);
INSERT INTO "spend" VALUES(1995561,2,2,0,0,1,3,8,26,0,13845,0,3071000000);
INSERT INTO "spend" VALUES(1995561,2,3,0,0,1,3000,4000,0,0,0,0,115000000000);
INSERT INTO "spend" VALUES(1995561,3,2,0,0,1,3,8,13841,0,0,0,69377000000);
INSERT INTO "spend" VALUES(1995561,3,3,0,0,1,5000,600,0,0,0,0,40000000000);
CREATE TABLE spend_days (day integer not null, source integer not null, model integer not null, flags integer not null, beyond integer not null, messages integer not null, input integer not null, output integer not null, cache_write_5m integer not null, cache_write_1h integer not null, cache_read integer not null, web_searches integer not null, pico integer not null, primary key (day, source, model, flags, beyond)) without rowid;
INSERT INTO "spend_days" VALUES(20787,1,1,32,0,0,0,0,0,0,0,0,0);
INSERT INTO "spend_days" VALUES(20787,1,2,0,0,1,3,8,13842,0,0,0,69382000000);
INSERT INTO "spend_days" VALUES(20787,1,3,0,0,1,1000,2000,0,0,0,0,55000000000);
INSERT INTO "spend_days" VALUES(20787,2,1,32,0,0,0,0,0,0,0,0,0);
INSERT INTO "spend_days" VALUES(20787,2,2,0,0,1,3,8,26,0,13845,0,3071000000);
INSERT INTO "spend_days" VALUES(20787,2,3,0,0,1,3000,4000,0,0,0,0,115000000000);
INSERT INTO "spend_days" VALUES(20787,3,2,0,0,1,3,8,13841,0,0,0,69377000000);
INSERT INTO "spend_days" VALUES(20787,3,3,0,0,1,5000,600,0,0,0,0,40000000000);
CREATE TABLE spend_times (quarter integer not null, billing integer not null, flags integer not null, messages integer not null, input integer not null, output integer not null, cache_write_5m integer not null, cache_write_1h integer not null, cache_read integer not null, web_searches integer not null, pico integer not null, primary key (quarter, billing, flags)) without rowid;
INSERT INTO "spend_times" VALUES(1995561,'api',0,6,9009,6624,27709,0,13845,0,351830000000);
INSERT INTO "spend_times" VALUES(1995561,'api',32,0,0,0,0,0,0,0,0);
CREATE TABLE steps (least integer primary key);
INSERT INTO "steps" VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9),(10),(11),(12),(13),(14),(15),(16),(17),(18),(19),(20),(21),(22),(23),(24),(25),(26),(27),(28),(29),(30),(31),(32),(34),(36),(38),(40),(42),(44),(46),(48),(50),(52),(54),(56),(58),(60),(62),(64),(68),(72),(76),(80),(84),(88),(92),(96),(100),(104),(108),(112),(116),(120),(124),(128),(136),(144),(152),(160),(168),(176),(184),(192),(200),(208),(216),(224),(232),(240),(248),(256),(272),(288),(304),(320),(336),(352),(368),(384),(400),(416),(432),(448),(464),(480),(496),(512),(544),(576),(608),(640),(672),(704),(736),(768),(800),(832),(864),(896),(928),(960),(992),(1024),(1088),(1152),(1216),(1280),(1344),(1408),(1472),(1536),(1600),(1664),(1728),(1792),(1856),(1920),(1984),(2048),(2176),(2304),(2432),(2560),(2688),(2816),(2944),(3072),(3200),(3328),(3456),(3584),(3712),(3840),(3968),(4096),(4352),(4608),(4864),(5120),(5376),(5632),(5888),(6144),(6400),(6656),(6912),(7168),(7424),(7680),(7936),(8192),(8704),(9216),(9728),(10240),(10752),(11264),(11776),(12288),(12800),(13312),(13824),(14336),(14848),(15360),(15872),(16384),(17408),(18432),(19456),(20480),(21504),(22528),(23552),(24576),(25600),(26624),(27648),(28672),(29696),(30720),(31744),(32768),(34816),(36864),(38912),(40960),(43008),(45056),(47104),(49152),(51200),(53248),(55296),(57344),(59392),(61440),(63488),(65536),(69632),(73728),(77824),(81920),(86016),(90112),(94208),(98304),(102400),(106496),(110592),(114688),(118784),(122880),(126976),(131072),(139264),(147456),(155648),(163840),(172032),(180224),(188416),(196608),(204800),(212992),(221184),(229376),(237568),(245760),(253952),(262144),(278528),(294912),(311296),(327680),(344064),(360448),(376832),(393216),(409600),(425984),(442368),(458752),(475136),(491520),(507904),(524288),(557056),(589824),(622592),(655360),(688128),(720896),(753664),(786432),(819200),(851968),(884736),(917504),(950272),(983040),(1015808),(1048576),(1114112),(1179648),(1245184),(1310720),(1376256),(1441792),(1507328),(1572864),(1638400),(1703936),(1769472),(1835008),(1900544),(1966080),(2031616),(2097152),(2228224),(2359296),(2490368),(2621440),(2752512),(2883584),(3014656),(3145728),(3276800),(3407872),(3538944),(3670016),(3801088),(3932160),(4063232),(4194304),(4456448),(4718592),(4980736),(5242880),(5505024),(5767168),(6029312),(6291456),(6553600),(6815744),(7077888),(7340032),(7602176),(7864320),(8126464),(8388608),(8912896),(9437184),(9961472),(10485760),(11010048),(11534336),(12058624),(12582912),(13107200),(13631488),(14155776),(14680064),(15204352),(15728640),(16252928),(16777216),(17825792),(18874368),(19922944),(20971520),(22020096),(23068672),(24117248),(25165824),(26214400),(27262976),(28311552),(29360128),(30408704),(31457280),(32505856),(33554432),(35651584),(37748736),(39845888),(41943040),(44040192),(46137344),(48234496),(50331648),(52428800),(54525952),(56623104),(58720256),(60817408),(62914560),(65011712),(67108864),(71303168),(75497472),(79691776),(83886080),(88080384),(92274688),(96468992),(100663296),(104857600),(109051904),(113246208),(117440512),(121634816),(125829120),(130023424),(134217728),(142606336),(150994944),(159383552),(167772160),(176160768),(184549376),(192937984),(201326592),(209715200),(218103808),(226492416),(234881024),(243269632),(251658240),(260046848),(268435456),(285212672),(301989888),(318767104),(335544320),(352321536),(369098752),(385875968),(402653184),(419430400),(436207616),(452984832),(469762048),(486539264),(503316480),(520093696),(536870912),(570425344),(603979776),(637534208),(671088640),(704643072),(738197504),(771751936),(805306368),(838860800),(872415232),(905969664),(939524096),(973078528),(1006632960),(1040187392);
CREATE TABLE usage (message text not null, request text not null, at integer not null, source integer not null,
    model integer not null, unpriced integer not null, flags integer not null, input integer not null,
    output integer not null, cache_write_5m integer not null, cache_write_1h integer not null,
    cache_read integer not null, web_searches integer not null, pico integer not null, run integer not null default 0,
    primary key (message, request)) without rowid;
INSERT INTO "usage" VALUES('msg_01f3LHSgdyhbewRTp5L73b0z','req_01jIpz801fHzByasXd4IGtqG',1796005738207,3,2,0,0,3,8,13841,0,0,0,69377000000,972036654808687485);
INSERT INTO "usage" VALUES('msg_01nxwJvKE49f3MmT7Odv3rlt','req_01M2p8G1Ly7TErnmDlB09G4l',1796005688123,1,2,0,0,3,8,13842,0,0,0,69382000000,1127907959031116141);
INSERT INTO "usage" VALUES('msg_01o71w30m2mECx16WUgGZQ3w','req_01Qq0zHUbbgiGGGsRQF7SLYx',1796005711550,2,2,0,0,3,8,26,0,13845,0,3071000000,966551439271284364);
INSERT INTO "usage" VALUES('msg_aaaa','req_1',1796005696590,1,3,0,0,1000,2000,0,0,0,0,55000000000,768614336404564651);
INSERT INTO "usage" VALUES('msg_bbbb','req_1',1796005723062,2,3,0,0,3000,4000,0,0,0,0,115000000000,845475770045021116);
INSERT INTO "usage" VALUES('msg_cccc','req_1',1796005744209,3,3,0,0,5000,600,0,0,0,0,40000000000,922337203685477581);
INSERT INTO "usage" VALUES('unattributed 1127907959031116141','000001995561',1796005688324,1,1,0,32,0,0,0,0,0,0,0,0);
INSERT INTO "usage" VALUES('unattributed 966551439271284364','000001995561',1796005711954,2,1,0,32,0,0,0,0,0,0,0,0);
CREATE TABLE usage_read (host text not null, agent text not null, epoch integer not null,
    offset integer not null, mark text not null, primary key (host, agent, epoch)) without rowid;
INSERT INTO "usage_read" VALUES('local','docs-1',1,432,'0d191a216aab');
INSERT INTO "usage_read" VALUES('local','docs-1',2,605,'1675b6df3354');
CREATE INDEX open_orders on orders (op) where outcome is null;
CREATE INDEX grants_of_run on grants (host, agent, epoch);
CREATE INDEX runs_owing on runs (run) where booked <> case when reported - metered > 10000 then reported - metered else 0 end;
CREATE TRIGGER usage_claimed after insert on usage when new.run > 0 begin insert into runs (run, source, at, metered) select new.run, new.source, new.at, new.pico where new.run > 0
    on conflict (run) do update set metered = metered + excluded.metered; end;
CREATE TRIGGER usage_moved after update on usage when new.run > 0 or old.run > 0
    begin update runs set metered = metered - old.pico where run = old.run; insert into runs (run, source, at, metered) select new.run, new.source, new.at, new.pico where new.run > 0
    on conflict (run) do update set metered = metered + excluded.metered; end;
CREATE INDEX spend_days_source on spend_days (source);
CREATE TRIGGER usage_added after insert on usage begin insert into spend values (new.at / 900000, new.source, new.model, new.flags, coalesce((select max(tokens) from long_prompts where tokens < new.input + new.cache_write_5m + new.cache_write_1h + new.cache_read), 0), new.flags & 32 = 0, new.input, new.output, new.cache_write_5m, new.cache_write_1h, new.cache_read, new.web_searches, new.pico)
        on conflict do update set messages = messages + excluded.messages, input = input + excluded.input, output = output + excluded.output, cache_write_5m = cache_write_5m + excluded.cache_write_5m, cache_write_1h = cache_write_1h + excluded.cache_write_1h, cache_read = cache_read + excluded.cache_read, web_searches = web_searches + excluded.web_searches, pico = pico + excluded.pico; insert into spend_days values (new.at / 86400000, new.source, new.model, new.flags, coalesce((select max(tokens) from long_prompts where tokens < new.input + new.cache_write_5m + new.cache_write_1h + new.cache_read), 0), new.flags & 32 = 0, new.input, new.output, new.cache_write_5m, new.cache_write_1h, new.cache_read, new.web_searches, new.pico)
        on conflict do update set messages = messages + excluded.messages, input = input + excluded.input, output = output + excluded.output, cache_write_5m = cache_write_5m + excluded.cache_write_5m, cache_write_1h = cache_write_1h + excluded.cache_write_1h, cache_read = cache_read + excluded.cache_read, web_searches = web_searches + excluded.web_searches, pico = pico + excluded.pico; insert into spend_times values (new.at / 900000, (select billing from sources where id = new.source), new.flags, new.flags & 32 = 0, new.input, new.output, new.cache_write_5m, new.cache_write_1h, new.cache_read, new.web_searches, new.pico)
        on conflict do update set messages = messages + excluded.messages, input = input + excluded.input, output = output + excluded.output, cache_write_5m = cache_write_5m + excluded.cache_write_5m, cache_write_1h = cache_write_1h + excluded.cache_write_1h, cache_read = cache_read + excluded.cache_read, web_searches = web_searches + excluded.web_searches, pico = pico + excluded.pico; end;
CREATE TRIGGER usage_changed after update on usage begin update spend set messages = messages - (old.flags & 32 = 0), input = input - old.input, output = output - old.output, cache_write_5m = cache_write_5m - old.cache_write_5m, cache_write_1h = cache_write_1h - old.cache_write_1h, cache_read = cache_read - old.cache_read, web_searches = web_searches - old.web_searches, pico = pico - old.pico where (quarter, source, model, flags, beyond) = (old.at / 900000, old.source, old.model, old.flags, coalesce((select max(tokens) from long_prompts where tokens < old.input + old.cache_write_5m + old.cache_write_1h + old.cache_read), 0)); update spend_days set messages = messages - (old.flags & 32 = 0), input = input - old.input, output = output - old.output, cache_write_5m = cache_write_5m - old.cache_write_5m, cache_write_1h = cache_write_1h - old.cache_write_1h, cache_read = cache_read - old.cache_read, web_searches = web_searches - old.web_searches, pico = pico - old.pico where (day, source, model, flags, beyond) = (old.at / 86400000, old.source, old.model, old.flags, coalesce((select max(tokens) from long_prompts where tokens < old.input + old.cache_write_5m + old.cache_write_1h + old.cache_read), 0)); update spend_times set messages = messages - (old.flags & 32 = 0), input = input - old.input, output = output - old.output, cache_write_5m = cache_write_5m - old.cache_write_5m, cache_write_1h = cache_write_1h - old.cache_write_1h, cache_read = cache_read - old.cache_read, web_searches = web_searches - old.web_searches, pico = pico - old.pico where (quarter, billing, flags) = (old.at / 900000, (select billing from sources where id = old.source), old.flags); insert into spend values (new.at / 900000, new.source, new.model, new.flags, coalesce((select max(tokens) from long_prompts where tokens < new.input + new.cache_write_5m + new.cache_write_1h + new.cache_read), 0), new.flags & 32 = 0, new.input, new.output, new.cache_write_5m, new.cache_write_1h, new.cache_read, new.web_searches, new.pico)
        on conflict do update set messages = messages + excluded.messages, input = input + excluded.input, output = output + excluded.output, cache_write_5m = cache_write_5m + excluded.cache_write_5m, cache_write_1h = cache_write_1h + excluded.cache_write_1h, cache_read = cache_read + excluded.cache_read, web_searches = web_searches + excluded.web_searches, pico = pico + excluded.pico; insert into spend_days values (new.at / 86400000, new.source, new.model, new.flags, coalesce((select max(tokens) from long_prompts where tokens < new.input + new.cache_write_5m + new.cache_write_1h + new.cache_read), 0), new.flags & 32 = 0, new.input, new.output, new.cache_write_5m, new.cache_write_1h, new.cache_read, new.web_searches, new.pico)
        on conflict do update set messages = messages + excluded.messages, input = input + excluded.input, output = output + excluded.output, cache_write_5m = cache_write_5m + excluded.cache_write_5m, cache_write_1h = cache_write_1h + excluded.cache_write_1h, cache_read = cache_read + excluded.cache_read, web_searches = web_searches + excluded.web_searches, pico = pico + excluded.pico; insert into spend_times values (new.at / 900000, (select billing from sources where id = new.source), new.flags, new.flags & 32 = 0, new.input, new.output, new.cache_write_5m, new.cache_write_1h, new.cache_read, new.web_searches, new.pico)
        on conflict do update set messages = messages + excluded.messages, input = input + excluded.input, output = output + excluded.output, cache_write_5m = cache_write_5m + excluded.cache_write_5m, cache_write_1h = cache_write_1h + excluded.cache_write_1h, cache_read = cache_read + excluded.cache_read, web_searches = web_searches + excluded.web_searches, pico = pico + excluded.pico; end;
CREATE TRIGGER usage_sized after insert on usage begin insert into minutes values (new.at / 60000, (select billing from sources where id = new.source), new.input + new.cache_write_5m + new.cache_write_1h + new.output)
        on conflict do update set tokens = tokens + excluded.tokens; insert into sizes select new.at / 86400000, new.model, (select max(least) from steps where least <= (new.input + new.cache_write_5m + new.cache_write_1h + new.cache_read)), 1, 0 where (new.input + new.cache_write_5m + new.cache_write_1h + new.cache_read) > 0
        on conflict do update set prompts = prompts + 1; insert into sizes select new.at / 86400000, new.model, (select max(least) from steps where least <= new.output), 0, 1 where (new.input + new.cache_write_5m + new.cache_write_1h + new.cache_read) > 0
        on conflict do update set outputs = outputs + 1; end;
CREATE TRIGGER usage_resized after update on usage begin update minutes set tokens = tokens - (old.input + old.cache_write_5m + old.cache_write_1h + old.output)
        where (minute, billing) = (old.at / 60000, (select billing from sources where id = old.source)); update sizes set prompts = prompts - 1
        where (day, model, least) = (old.at / 86400000, old.model, (select max(least) from steps where least <= (old.input + old.cache_write_5m + old.cache_write_1h + old.cache_read))) and (old.input + old.cache_write_5m + old.cache_write_1h + old.cache_read) > 0; update sizes set outputs = outputs - 1
        where (day, model, least) = (old.at / 86400000, old.model, (select max(least) from steps where least <= old.output)) and (old.input + old.cache_write_5m + old.cache_write_1h + old.cache_read) > 0; insert into minutes values (new.at / 60000, (select billing from sources where id = new.source), new.input + new.cache_write_5m + new.cache_write_1h + new.output)
        on conflict do update set tokens = tokens + excluded.tokens; insert into sizes select new.at / 86400000, new.model, (select max(least) from steps where least <= (new.input + new.cache_write_5m + new.cache_write_1h + new.cache_read)), 1, 0 where (new.input + new.cache_write_5m + new.cache_write_1h + new.cache_read) > 0
        on conflict do update set prompts = prompts + 1; insert into sizes select new.at / 86400000, new.model, (select max(least) from steps where least <= new.output), 0, 1 where (new.input + new.cache_write_5m + new.cache_write_1h + new.cache_read) > 0
        on conflict do update set outputs = outputs + 1; end;
CREATE INDEX open_runs on agent_runs (host) where ended = 0;
COMMIT;
