"""The views of the robots: how their lanes stand, a test message, and letting a paused lane go on."""

from __future__ import annotations

from aiohttp import web

from pipeline.core.notices import trial_notice
from pipeline.http import show
from pipeline.http.answers import answer
from pipeline.http.deps import Call, Deps
from pipeline.outbox import LaneView
from pipeline.ports import Sent
from pipeline.refusals import NotFound

TEST_WAIT_S = 60.0
"""How long a test waits for its turn at the robot."""
NO_TURN = "its turn did not come within {:g} s: messages before it wait for the robot 未轮到发送：前面还有消息"


async def robot_list(deps: Deps, _call: Call) -> web.StreamResponse:
    """Show how it stands with every robot."""
    return answer({"robots": [show.robot(lane) for lane in await deps.outbox.robots()]})


async def robot_test(deps: Deps, call: Call) -> web.StreamResponse:
    """Send a test message to a robot, and say whether it arrived."""
    name = (await _find(deps, call)).robot
    message = trial_notice(deps.settings.wechat.language)
    match await deps.outbox.test(name, message, TEST_WAIT_S):
        case Sent():
            return answer({"robot": name, "delivered": True, "why": None})
        case None:
            return answer({"robot": name, "delivered": False, "why": NO_TURN.format(TEST_WAIT_S)})
        case receipt:
            return answer({"robot": name, "delivered": False, "why": receipt.why})


async def robot_resume(deps: Deps, call: Call) -> web.StreamResponse:
    """Let the paused lane of a robot try again."""
    deps.outbox.resume((await _find(deps, call)).robot)
    return answer(show.robot(await _find(deps, call)))


async def _find(deps: Deps, call: Call) -> LaneView:
    name = call.request.match_info["name"]
    for lane in await deps.outbox.robots():
        if lane.robot == name:
            return lane
    raise NotFound
