"""What actions are for, and by which other words they are found: for help and palette."""

GROUPS: dict[str, str] = {
    "look": "open next filter search timeline sift bookmark bookmark_older bookmark_newer export match_older "
    "match_newer screen explain copy hosts host_open host_charts host_check tasks task_open task_why figures "
    "alarms attached palette help back",
    "answer": "allow always deny questions undo",
    "act": "spawn kill pause resume reassign retry message interrupt attach forget mark mark_all host_add host_remove "
    "host_retry host_take",
    "queue": "task_add task_hold task_first task_retry task_drop queue_hold halt",
    "money": "costs costs_limits costs_by money_charts budget",
    "view": "panes pane_size pin sort group fold_hosts fold_limits theme",
}
"""What the actions are for: each stands in one group of the help."""

OTHER_WORDS: dict[str, str] = {
    "allow": "yes approve accept ok permit",
    "always": "yes approve session",
    "deny": "no refuse reject",
    "questions": "answer asked asks permission approve",
    "undo": "revert mistake keep",
    "spawn": "new start run create add launch",
    "kill": "stop end terminate quit cancel abort",
    "interrupt": "stop halt",
    "pause": "stop hold sleep suspend",
    "resume": "continue go on wake",
    "reassign": "move task host",
    "message": "say tell write send prompt answer",
    "attach": "terminal tmux connect enter copy",
    "screen": "terminal copy look",
    "forget": "delete remove clean clear",
    "explain": "why reason state",
    "filter": "search find grep only",
    "search": "find grep",
    "timeline": "logs history joint together",
    "export": "copy save write file",
    "hosts": "machines servers computers",
    "costs": "money spend spent budget tokens dollars usage",
    "costs_limits": "budget pause windows quota",
    "tasks": "queue task backlog todo waiting jobs",
    "task_add": "new create queue backlog",
    "task_hold": "release pause queue",
    "task_first": "move up priority sooner",
    "task_drop": "delete remove cancel",
    "task_why": "text reason wait",
    "figures": "metrics statistics throughput utilisation latency graphs charts",
    "queue_hold": "stop pause release queue",
    "halt": "stop emergency panic everything resume",
    "alarms": "warnings problems errors budget pause",
    "attached": "who clients watchers",
    "mark": "select choose",
    "mark_all": "select all",
    "panes": "split live grid tiles logs",
    "pane_size": "hide enlarge resize bigger zoom",
    "sort": "order",
    "theme": "colours colors dark light",
    "help": "keys manual ?",
    "back": "quit exit leave close stop",
    "host_add": "new machine server ssh",
    "host_remove": "delete machine",
}
"""By other words, too, actions are found in the palette."""
