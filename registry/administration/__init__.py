"""`packyard account | user | token`: administration on the server's own machine, without the AWS CLI.

The commands work on the database that the settings name, whether servers run or not; what they change holds from the
next request on.
"""
