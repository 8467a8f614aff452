"""The policy documents of both accounts: builds, renders and checks them. Sends no requests to AWS."""
