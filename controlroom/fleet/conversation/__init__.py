"""What a front end and the engine say to each other, and who takes part."""
