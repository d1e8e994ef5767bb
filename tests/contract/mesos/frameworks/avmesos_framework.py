"""A framework with avmesos: a task that finishes and one that is killed.

Arguments: the master's URL, or `zk://…/mesos`. What happened is printed as JSON. Runs without smackbox.
"""

import json
import os
import sys
import threading

from avmesos.client import MesosClient

TIMEOUT_S = 60
FINAL = ("TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_LOST", "TASK_ERROR")


class Two:
    def __init__(self, master):
        self.seen = {"states": {}, "offers": 0}
        self.launched = False
        self.done = threading.Event()
        self.client = MesosClient([master], frameworkName="two", frameworkUser="root")
        self.client.on(MesosClient.SUBSCRIBED, self.subscribed)
        self.client.on(MesosClient.OFFERS, self.offers)
        self.client.on(MesosClient.UPDATE, self.update)

    def subscribed(self, driver):
        self.driver = driver
        self.seen["framework_id"] = self.client.frameworkId

    def offers(self, offers):
        self.seen["offers"] += len(offers)
        for offer in offers:
            if self.launched:
                offer.decline()
                continue
            self.launched = True
            offer.accept([task("finishes", "echo done"), task("killed", "sleep 1000")])

    def update(self, update):
        name, state = update["status"]["task_id"]["value"], update["status"]["state"]
        states = self.seen["states"].setdefault(name, [])
        if not states or states[-1] != state:
            states.append(state)
        if name == "killed" and state == "TASK_RUNNING":
            self.driver.kill(update["status"]["agent_id"]["value"], name)
        if len(self.seen["states"]) == 2 and all(one[-1] in FINAL for one in self.seen["states"].values()):
            self.done.set()


def task(name, command):
    return {
        "name": name,
        "task_id": {"value": name},
        "resources": [
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
            {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}},
        ],
        "command": {"value": command},
    }


def main(master):
    two = Two(master)
    threading.Thread(target=two.client.register, daemon=True).start()
    two.seen["in_time"] = two.done.wait(TIMEOUT_S)
    two.driver.tearDown()
    print(json.dumps(two.seen))
    sys.stdout.flush()
    os._exit(0)  # the client's loop does not end by itself


if __name__ == "__main__":
    main(sys.argv[1])
