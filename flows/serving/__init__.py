"""The hot lane: a resident process that receives webhooks, watches inbox folders and keeps the release current.

receiver   a request, verified, to one row of the inbox; the answer comes after the commit
committer  many requests, one transaction
looking    what there is to do: deliveries in the inbox, files that changed, time that has passed
reactor    wake-ups, gathered, to one run
postman    letters that are due
server     all of it, supervised as one process
"""
