"""The one kind of error that is the user's to mend."""


class UserError(ValueError):
    """Ends a command with one line and exit code 2; names the field, the value, what is allowed."""
