"""The bodies of the commands: call the library, print the answer."""
