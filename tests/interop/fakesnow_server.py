"""Runs in the environment of fakesnow: its server, with a table, and with a login answer that connector 5.x takes."""

import importlib
import json
import sys

import uvicorn
from starlette.responses import JSONResponse
from starlette.routing import Route

server = importlib.import_module("fakesnow.server")  # the package has a function of this name
LOGIN = "/session/v1/login-request"
ROWS = ", ".join(f"({i}, 'person {i}', '123-45-{i:04}', {1000 + i})" for i in range(20))


async def login(request):
    """fakesnow leaves out what the service says about how long a session lasts."""
    document = json.loads((await server.login_request(request)).body)
    document["data"].update(
        masterToken="the-master-token", validityInSeconds=3600, masterValidityInSeconds=14400, sessionId=1
    )
    return JSONResponse(document)


def table():
    """DB1.S1.EMP, with twenty people in it."""
    cursor = server.shared_fs.connect("db1", "s1").cursor()
    cursor.execute("create table emp (id int, name varchar, ssn varchar, salary int)")
    cursor.execute(f"insert into emp values {ROWS}")
    cursor.execute("create table notes (id int, text varchar)")
    cursor.execute("create table grades (id int, grade varchar)")
    cursor.execute("insert into grades values (1, 'A'), (2, 'B')")


if __name__ == "__main__":
    table()
    routes = server.app.router.routes
    routes[:] = [Route(LOGIN, login, methods=["POST"]), *[route for route in routes if route.path != LOGIN]]
    uvicorn.run(server.app, host="127.0.0.1", port=int(sys.argv[1]), log_level="info")
