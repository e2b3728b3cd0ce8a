"""Where the parts meet: settings, composition, commands, import and pictures."""
