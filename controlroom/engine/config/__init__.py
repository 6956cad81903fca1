"""The room's settings: what each is, what stands in the files, and what is written into them."""
