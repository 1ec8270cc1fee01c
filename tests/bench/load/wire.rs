//! HTTP as bytes.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Sends a request and reads all of its answer.
pub(crate) async fn exchange(stream: &mut TcpStream, request: &[u8], answer: &mut Vec<u8>) {
    stream.write_all(request).await.expect("the server reads");
    answer.clear();
    while !is_complete(answer) {
        let read = stream.read_buf(answer).await.expect("the server answers");
        assert!(read > 0, "the server closed: {}", String::from_utf8_lossy(answer));
    }
}

/// The digits of the status.
pub(crate) fn status_of(answer: &[u8]) -> &[u8] {
    answer.get(9..12).unwrap_or_default()
}

/// Whether head and body are there, by the content length that both servers send.
fn is_complete(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| {
        rest.split("\r\n").next().and_then(|digits| digits.trim().parse::<usize>().ok())
    });
    answer.len() >= end + 4 + length.expect("the answer says its length")
}
