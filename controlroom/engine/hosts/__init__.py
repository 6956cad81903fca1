"""The machines that agents run on: links, SSH, deployment, logs, inquiries."""
