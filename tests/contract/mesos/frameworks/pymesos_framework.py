"""A framework with pymesos: a task with a command, one with an executor of its own (this file), one that is killed.

Arguments: the master (`host:port` or `zk://…`). What happened is printed as JSON. It runs on Python 3.10.
"""

import getpass
import json
import sys
import threading
import time

from pymesos import (
    Executor,
    MesosExecutorDriver,
    MesosOperatorMasterDriver,
    MesosSchedulerDriver,
    Scheduler,
    decode_data,
    encode_data,
)

TIMEOUT_S = 60
FINAL = ("TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_LOST", "TASK_ERROR")


class EchoExecutor(Executor):
    def launchTask(self, driver, task):
        def run():
            self._say(driver, task, "TASK_RUNNING")
            driver.sendFrameworkMessage(encode_data(b"hello from " + decode_data(task["data"])))
            time.sleep(0.2)
            self._say(driver, task, "TASK_FINISHED")

        threading.Thread(target=run).start()

    def _say(self, driver, task, state):
        driver.sendStatusUpdate({"task_id": task["task_id"], "state": state, "timestamp": time.time()})


class Three(Scheduler):
    def __init__(self):
        self.seen = {"states": {}, "messages": [], "offers": 0}
        self.launched = False
        self.done = threading.Event()

    def registered(self, driver, framework_id, master_info):
        self.seen["framework_id"] = framework_id["value"]
        self.seen["master"] = master_info["version"]

    def resourceOffers(self, driver, offers):
        self.seen["offers"] += len(offers)
        if self.launched:
            driver.declineOffer([offer["id"] for offer in offers], {"refuse_seconds": 5})
            return
        self.launched = True
        offer = offers[0]
        executor = {
            "executor_id": {"value": "echo"},
            "command": {"value": f"{sys.executable} {__file__} --executor"},
            "resources": resources(0.1, 32),
        }
        tasks = [
            task("command", offer, command={"value": "echo done"}),
            task("custom", offer, executor=executor, data=encode_data(b"data")),
            task("killed", offer, command={"value": "sleep 1000"}),
        ]
        driver.launchTasks(offer["id"], tasks, {"refuse_seconds": 1})

    def statusUpdate(self, driver, update):
        name, state = update["task_id"]["value"], update["state"]
        states = self.seen["states"].setdefault(name, [])
        if not states or states[-1] != state:
            states.append(state)
        if name == "killed" and state == "TASK_RUNNING":
            driver.killTask({"value": name})
        if len(self.seen["states"]) == 3 and all(one[-1] in FINAL for one in self.seen["states"].values()):
            self.done.set()

    def frameworkMessage(self, driver, executor_id, agent_id, message):
        self.seen["messages"].append(decode_data(message).decode())


def resources(cpus, mem):
    return [
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": cpus}},
        {"name": "mem", "type": "SCALAR", "scalar": {"value": mem}},
    ]


def task(name, offer, **more):
    return {
        "name": name,
        "task_id": {"value": name},
        "agent_id": offer["agent_id"],
        "resources": resources(0.1, 32),
        **more,
    }


def main(master):
    framework = {"user": getpass.getuser(), "name": "three", "hostname": "h", "checkpoint": True}
    scheduler = Three()
    driver = MesosSchedulerDriver(scheduler, framework, master)
    driver.start()
    scheduler.seen["in_time"] = scheduler.done.wait(TIMEOUT_S)
    if not master.startswith("zk://"):
        operator = MesosOperatorMasterDriver(master)
        scheduler.seen["health"] = operator.getHealth()["get_health"]["healthy"]
        scheduler.seen["tasks"] = len(operator.getTasks()["get_tasks"].get("tasks", []))
        scheduler.seen["agents"] = len(operator.getAgents()["get_agents"]["agents"])
    driver.stop()
    driver.join()
    print(json.dumps(scheduler.seen))


if __name__ == "__main__":
    if sys.argv[1] == "--executor":
        executor_driver = MesosExecutorDriver(EchoExecutor())
        executor_driver.run()
    else:
        main(sys.argv[1])
