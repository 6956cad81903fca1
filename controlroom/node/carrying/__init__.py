"""An agent's session and folder, packed on the host that it leaves and unpacked on the one that it goes on on."""
