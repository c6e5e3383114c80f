"""Errors the server tells its clients: SQL Server's numbers, classes and words."""


class SqlError(Exception):
    """A statement that fails: number, text, class (severity), state, line."""

    def __init__(self, number, text, severity=16, state=1, line=1):
        super().__init__(f"{number}: {text}")
        self.number, self.text, self.severity, self.state, self.line = number, text, severity, state, line


def syntax(near, keyword=False, line=1):
    if keyword:
        return SqlError(156, f"Incorrect syntax near the keyword '{near}'.", 15, line=line)
    return SqlError(102, f"Incorrect syntax near '{near}'.", 15, line=line)


# Errors to inject by number: severity, state, text. {database}, {server}, {user} and {address} are filled in.
KNOWN = {
    1204: (19, 4, "The instance of the SQL Server Database Engine cannot obtain a LOCK resource at this time. Rerun your"
                  " statement when there are fewer active users."),
    1205: (13, 51, "Transaction (Process ID 52) was deadlocked on lock resources with another process and has been chosen"
                   " as the deadlock victim. Rerun the transaction."),
    1222: (16, 51, "Lock request time out period exceeded."),
    4060: (11, 1, "Cannot open database \"{database}\" requested by the login. The login failed."),
    8134: (16, 1, "Divide by zero error encountered."),
    10928: (16, 1, "Resource ID : 1. The request limit for the database is 60 and has been reached. See"
                   " 'http://go.microsoft.com/fwlink/?LinkId=267637' for assistance."),
    10929: (16, 1, "Resource ID: 1. The request minimum guarantee is 0, maximum limit is 60 and the current usage for the"
                   " database is 60. However, the server is currently too busy to support requests greater than 0 for this"
                   " database. Otherwise, please try again later."),
    18456: (14, 1, "Login failed for user '{user}'."),
    18487: (14, 1, "Login failed for user '{user}'.  Reason: The password of the account has expired."),
    40197: (16, 1, "The service has encountered an error processing your request. Please try again. Error code 4221."),
    40501: (20, 1, "The service is currently busy. Retry the request after 10 seconds. Incident ID:"
                   " {{01234567-89AB-CDEF-0123-456789ABCDEF}}. Code: 131075."),
    40532: (11, 1, "Cannot open server \"{server}\" requested by the login. The login failed."),
    40549: (16, 1, "Session is terminated because you have a long-running transaction. Try shortening your transaction."),
    40613: (14, 1, "Database '{database}' on server '{server}' is not currently available. Please retry the connection"
                   " later. If the problem persists, contact customer support, and provide them the session tracing ID of"
                   " '{{01234567-89AB-CDEF-0123-456789ABCDEF}}'."),
    40615: (14, 1, "Cannot open server '{server}' requested by the login. Client with IP address '{address}' is not allowed"
                   " to access the server.  To enable access, use the Windows Azure Management Portal or run"
                   " sp_set_firewall_rule on the master database to create a firewall rule for this IP address or address"
                   " range.  It may take up to five minutes for this change to take effect."),
    49918: (16, 1, "Cannot process request. Not enough resources to process request. The service is currently busy. Please"
                   " retry the request later."),
    49919: (16, 1, "Cannot process create or update request. Too many create or update operations in progress for"
                   " subscription \"1\"."),
    49920: (16, 1, "Cannot process request. Too many operations in progress for subscription \"1\"."),
}


def known(number, text=None, severity=None, **words):
    """The error of that number in its own words, or with another text or severity."""
    usual, state, pattern = KNOWN.get(number, (16, 1, f"Error {number}."))
    return SqlError(number, text if text is not None else pattern.format(**words), usual if severity is None else severity,
                    state)
