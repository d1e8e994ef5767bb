"""A streaming program that is killed: totals of a topic by key, into files, one for each batch.

Arguments: bootstrap servers, topic, directory. A batch's file is replaced when the batch runs again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from smackbox.spark.dstreams import KafkaUtils, StreamingContext
from smackbox.spark.rdd.context import SparkContext

bootstrap, topic, folder = sys.argv[1:]
out = Path(folder) / "out"
out.mkdir(exist_ok=True)


def save(moment: Any, rdd: Any) -> None:
    records = rdd.collect()
    path = out / f"{int(1000 * moment.timestamp())}.json"
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(records))
    draft.replace(path)


with SparkContext("local[1]") as sc:
    ssc = StreamingContext(sc, 0.05)
    ssc.checkpoint(f"{folder}/checkpoint")
    params = {"bootstrap.servers": bootstrap, "auto.offset.reset": "smallest"}
    stream = KafkaUtils.createDirectStream(ssc, [topic], params)
    stream.foreachRDD(save)
    state = stream.mapValues(int).updateStateByKey(lambda new, old: sum(new, old or 0))
    state.foreachRDD(lambda rdd: (out / "state.json").write_text(json.dumps(dict(rdd.collect()))))
    ssc.start()
    print("running", flush=True)
    ssc.awaitTermination()
