//! What both programs answer. Arguments: relay URL, secret key (hex). Then a JSON request a line, `[method, ...arguments]`, and a
//! JSON answer a line, until the input ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// One of the user's devices.
pub trait Device: Send + Sync + Sized + 'static {
    /// Connected, and told of these categories if it can be.
    fn open(
        relay: &str,
        key: &str,
        categories: &[String],
    ) -> impl Future<Output = Result<Self, Failure>> + Send;
    fn publish(&self, category: &str, payload: &Value) -> impl Future<Output = Result<(), Failure>> + Send;
    /// Until it has this payload.
    fn hear(&mut self, category: &str, payload: &Value) -> impl Future<Output = Result<(), Failure>> + Send;
    /// How many of them there are.
    fn sync_all(&self, categories: &[String]) -> impl Future<Output = Result<usize, Failure>> + Send;
}

struct Pair<D> {
    laptop: Arc<D>,
    phone: D,
}

impl<D: Device> Pair<D> {
    /// How long it takes from the call on one device until the other one has the value, for which it has waited before: one that asks
    /// again and again is somewhere in between then.
    async fn push(&mut self, category: String, payload: Value, wait: Duration) -> Result<Duration, Failure> {
        let laptop = self.laptop.clone();
        let publishing = {
            let (category, payload) = (category.clone(), payload.clone());
            tokio::spawn(async move {
                tokio::time::sleep(wait).await;
                let started = Instant::now();
                laptop.publish(&category, &payload).await.map(|()| started)
            })
        };
        self.phone.hear(&category, &payload).await?;
        let heard = Instant::now();
        Ok(heard - publishing.await??)
    }
}

pub async fn serve<D: Device>() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [relay, key] = arguments.as_slice() else {
        return Err("expected: relay key".into());
    };
    let mut pair = None;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut output = tokio::io::stdout();
    while let Some(line) = lines.next_line().await? {
        let request: Vec<Value> = serde_json::from_str(&line)?;
        let text = |at: usize| request.get(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        let texts: Vec<String> =
            request.iter().skip(1).filter_map(Value::as_str).map(str::to_owned).collect();
        let answer = match text(0).as_str() {
            "pair" => {
                let laptop = Arc::new(D::open(relay, key, &[]).await?);
                pair = Some(Pair { laptop, phone: D::open(relay, key, &texts).await? });
                Value::Null
            }
            "push" => {
                let payload = request.get(2).cloned().unwrap_or_default();
                let wait =
                    Duration::from_secs_f64(request.get(3).and_then(Value::as_f64).unwrap_or_default() / 1e3);
                let took = pair.as_mut().ok_or("no pair")?.push(text(1), payload, wait).await?;
                json!(took.as_secs_f64() * 1e3)
            }
            // By a device that has nothing yet.
            "syncAll" => {
                let device = D::open(relay, key, &[]).await?;
                let started = Instant::now();
                let count = device.sync_all(&texts).await?;
                json!({ "count": count, "ms": started.elapsed().as_secs_f64() * 1e3 })
            }
            method => return Err(format!("unknown method {method}").into()),
        };
        output.write_all(format!("{answer}\n").as_bytes()).await?;
        output.flush().await?;
    }
    Ok(())
}
