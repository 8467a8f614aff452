"""Everything that needs boto: credentials, profiles, STS, the sdk transport. Other packages never import boto."""
