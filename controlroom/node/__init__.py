"""The half that lives on a host: a node that sees and acts, a runner around each agent. Shipped, never installed."""
