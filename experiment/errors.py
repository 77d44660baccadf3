"""The error that a user can mend."""


class UserError(ValueError):
    """Ends a command with one line and exit code 2; names the field, the value, what is allowed."""

    def __str__(self) -> str:
        """One line, even if a value has several."""
        return super().__str__().replace("\n", "\\n")
