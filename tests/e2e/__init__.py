"""A package, because fixtures of scope "package" end with one and live as long as the session without."""
