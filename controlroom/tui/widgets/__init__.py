"""What the screens are made of. All are drawn line by line and paint only the lines that changed."""
