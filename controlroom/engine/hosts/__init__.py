"""The machines that agents run on: reached, boarded, listened to, asked and told."""
