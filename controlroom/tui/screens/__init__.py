"""What one looks at: overview, agent, hosts; and the sheets that ask for something."""
