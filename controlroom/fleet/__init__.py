"""The half at home: the engine that owns the fleet, its links to hosts, its ledger, its config and its socket."""
