"""A local Graph API and a local BigQuery, to try the package and to test it with no token and no cloud.

Both listen on the loopback interface only. Nothing in here imports the rest of the package.
"""
