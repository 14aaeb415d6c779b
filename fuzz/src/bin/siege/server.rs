//! A slow but honest server on the loopback: one file, with ranges, a little at a time.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::bench::Result;

/// Bytes between two pauses.
const PIECE: usize = 4096;

/// Starts it; returns its address. It lives as long as the process.
pub(crate) fn start(body: Vec<u8>, pause: Duration) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", listener.local_addr()?);
    let body = Arc::new(body);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let body = Arc::clone(&body);
            // A client that was killed hangs up; that is what it is here for.
            thread::spawn(move || serve(stream, &body, pause));
        }
    });
    Ok(address)
}

fn serve(mut stream: TcpStream, body: &[u8], pause: Duration) -> std::io::Result<()> {
    let mut start = 0;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some(range) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            let from = range.trim().trim_end_matches('-').parse();
            start = from.unwrap_or(0).min(body.len());
        }
    }
    let (status, range) = match start {
        0 => ("200 OK", String::new()),
        _ => {
            let (last, all) = (body.len() - 1, body.len());
            let range = format!("Content-Range: bytes {start}-{last}/{all}\r\n");
            ("206 Partial Content", range)
        }
    };
    let rest = &body[start..];
    let n_bytes = rest.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nConnection: close\r\nETag: \"v1\"\r\n{range}Content-Length: {n_bytes}\r\n\r\n"
    )?;
    for piece in rest.chunks(PIECE) {
        stream.write_all(piece)?;
        stream.flush()?;
        thread::sleep(pause);
    }
    Ok(())
}

/// A safetensors file of one tensor, as large as asked for.
pub(crate) fn weights(n_values: usize) -> Vec<u8> {
    let n_bytes = 4 * n_values;
    let header = format!(
        "{{\"w\":{{\"dtype\":\"F32\",\"shape\":[{n_values}],\"data_offsets\":[0,{n_bytes}]}}}}"
    );
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    let values = (0..n_values).map(|at| at as u16);
    bytes.extend(values.flat_map(|value| f32::from(value).to_le_bytes()));
    bytes
}
