import pytest
from tests.daemon import Client
from tests.fakes import media
from tests.fakes.site import Reply
import time
async def test_x(site, start):
    url = site.serve("/a.wav", Reply(body=media.speech(media.story(1))))
    url2 = site.serve("/long.wav", Reply(body=media.speech(media.story(2,250), gap_s=0.4)))
    daemon = start()
    async with Client(daemon) as client:
        t = await client.submit(url)
        await client.finished(t)
        print(time.monotonic())
        t2 = await client.submit(url2)
        s=await client.finished(t2)
        print(time.monotonic())
        print(s['media'], s['created_at'], s['finished_at'])
    for v in site.requests: print(v)
    for l in daemon.log():
        if 'task' in l: print({k:v for k,v in l.items() if k not in ('logger','says')})
