"""`packyard login`: set package managers up for a repository."""
