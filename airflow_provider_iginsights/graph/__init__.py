"""The wire to Meta: one client for the Instagram Graph API that knows hosts, limits, faults and pages, and no metric.

Start at ``client.GraphClient``; ``settings.GraphSettings`` says where it goes and as whom. This module imports nothing.
"""
