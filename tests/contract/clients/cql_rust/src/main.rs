//! What the Rust driver, unchanged, does with a Cassandra: the scenario that every driver here runs. Its findings go to
//! standard output as one JSON object; the test compares them.

use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::errors::{DbError, ExecutionError, RequestAttemptError};
use scylla::response::{PagingState, PagingStateResponse};
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::Statement;
use scylla::value::{CqlDecimal, CqlTimestamp, Row};
use scylla::{DeserializeValue, SerializeValue};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::ops::ControlFlow;
use uuid::Uuid;

const ROWS: i32 = 500;

#[derive(SerializeValue, DeserializeValue)]
struct Place {
    name: String,
    at: (i32, i32),
}

type Stored = (i64, CqlDecimal, Uuid, String, CqlTimestamp, Vec<i32>, BTreeSet<String>, BTreeMap<String, i32>, Place);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let (address, keyspace) = (&arguments[1], &arguments[2]);
    let session: Session = SessionBuilder::new().known_node(address).build().await?;
    let create = format!(
        "CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
    );
    session.query_unpaged(create.as_str(), &[]).await?;
    session.query_unpaged(format!("CREATE TYPE {keyspace}.place (name text, at frozen<tuple<int, int>>)"), &[]).await?;
    session
        .query_unpaged(
            format!(
                "CREATE TABLE {keyspace}.t (id int, c int, big bigint, d decimal, u uuid, txt text, ts timestamp, \
                 l list<int>, s set<text>, m map<text, int>, p frozen<place>, PRIMARY KEY (id, c))"
            ),
            &[],
        )
        .await?;
    let insert = session
        .prepare(format!(
            "INSERT INTO {keyspace}.t (id, c, big, d, u, txt, ts, l, s, m, p) VALUES (1, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        ))
        .await?;
    let stored: Stored = (
        9007199254740993,
        CqlDecimal::from_signed_be_bytes_and_exponent(vec![0x30, 0x34], 3),
        Uuid::parse_str("123e4567-e89b-12d3-a456-426614174000")?,
        "grüße".into(),
        CqlTimestamp(1443657600123),
        vec![3, 1, 2],
        BTreeSet::from(["b".to_string(), "a".to_string()]),
        BTreeMap::from([("k".to_string(), 7)]),
        Place { name: "x".into(), at: (1, 2) },
    );
    session.execute_unpaged(&insert, &stored).await?;
    let select = session
        .prepare(format!("SELECT big, d, u, txt, ts, l, s, m, p FROM {keyspace}.t WHERE id = ? AND c = ?"))
        .await?;
    let (big, decimal, id, text, stamp, list, set, map, place) =
        session.execute_unpaged(&select, (1, 0)).await?.into_rows_result()?.single_row::<Stored>()?;
    let (digits, scale) = decimal.as_signed_be_bytes_slice_and_exponent();
    let unscaled = digits.iter().fold(0i64, |value, byte| (value << 8) | i64::from(*byte));
    let shown = json!({
        "big": big.to_string(),
        "d": format!("{}.{:03}", unscaled / 1000, unscaled % 1000),
        "u": id.to_string(), "txt": text, "ts": stamp.0, "l": list, "s": set, "m": map,
        "p": [json!(place.name), json!(place.at.0), json!(place.at.1)],
    });
    assert_eq!(scale, 3);

    let plain = session.prepare(format!("INSERT INTO {keyspace}.t (id, c, txt) VALUES (?, ?, ?)")).await?;
    for start in (1..=ROWS).step_by(100) {
        let mut batch = Batch::new(BatchType::Unlogged);
        let mut values = Vec::new();
        for c in start..start + 100 {
            batch.append_statement(plain.clone());
            values.push((2, c, format!("row {c}")));
        }
        session.batch(&batch, values).await?;
    }
    let mut paged = session.prepare(format!("SELECT c FROM {keyspace}.t WHERE id = ?")).await?;
    paged.set_page_size(100);
    let (mut pages, mut total, mut state) = (0, 0i64, PagingState::start());
    loop {
        let (result, next): (_, PagingStateResponse) = session.execute_single_page(&paged, (2,), state).await?;
        pages += 1;
        for row in result.into_rows_result()?.rows::<(i32,)>()? {
            total += i64::from(row?.0);
        }
        match next.into_paging_control_flow() {
            ControlFlow::Break(()) => break,
            ControlFlow::Continue(next) => state = next,
        }
    }
    let once = session.prepare(format!("INSERT INTO {keyspace}.t (id, c, txt) VALUES (?, ?, ?) IF NOT EXISTS")).await?;
    let mut lwt = Vec::new();
    for word in ["first", "second"] {
        let rows = session.execute_unpaged(&once, (3, 0, word)).await?.into_rows_result()?;
        let column = rows.column_specs().iter().position(|one| one.name() == "txt");
        let row = rows.single_row::<Row>()?;
        lwt.push(json!(row.columns[0].as_ref().and_then(|value| value.as_boolean())));
        if word == "second" {
            let there = column.and_then(|at| row.columns[at].as_ref()).and_then(|value| value.as_text().cloned());
            lwt.push(json!(there));
        }
    }
    let (count, top) = session
        .query_unpaged(format!("SELECT count(*), max(c) FROM {keyspace}.t WHERE id = 2"), &[])
        .await?
        .into_rows_result()?
        .single_row::<(i64, i32)>()?;
    let mut errors = Vec::new();
    for bad in ["SELEC 1".to_string(), format!("SELECT none FROM {keyspace}.t"), format!("SELECT * FROM {keyspace}.none"), create] {
        errors.push(match session.query_unpaged(Statement::new(bad), &[]).await {
            Err(ExecutionError::LastAttemptError(RequestAttemptError::DbError(error, _))) => code(&error),
            Err(ExecutionError::RequestTimeout(_)) | Ok(_) => 0,
            Err(error) => return Err(Box::<dyn Error>::from(error)),
        });
    }
    let text = "x".repeat(40_000);
    session.execute_unpaged(&plain, (9, 0, text.as_str())).await?;
    let large = session.prepare(format!("SELECT txt FROM {keyspace}.t WHERE id = ? AND c = ?")).await?;
    let mut whole = 0;
    for _ in 0..40 {
        let asked = (0..8).map(|_| session.execute_unpaged(&large, (9, 0)));
        for answer in futures::future::try_join_all(asked).await? {
            whole += i32::from(answer.into_rows_result()?.single_row::<(String,)>()?.0 == text);
        }
    }
    session.refresh_metadata().await?;
    let cluster = session.get_cluster_state();
    let table = &cluster.get_keyspace(keyspace).ok_or("no keyspace")?.tables["t"];
    let columns: BTreeSet<&String> = table.columns.keys().collect();
    let found = json!({
        "row": shown, "pages": pages, "sum_of_pages": total, "lwt": lwt, "aggregate": [json!(count), json!(top)],
        "errors": errors, "large": whole, "columns": columns, "keys": [&table.partition_key, &table.clustering_key],
    });
    session.query_unpaged(format!("DROP KEYSPACE {keyspace}"), &[]).await?;
    println!("{found}");
    Ok(())
}

fn code(error: &DbError) -> i32 {
    error.code(&Default::default())
}
