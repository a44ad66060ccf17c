"""What an installation needs around the code: embedded servers, units, lock files."""
