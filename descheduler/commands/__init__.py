"""One module per command: settings in, adapters built, the core called, the result printed, an exit code out."""
