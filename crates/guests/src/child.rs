//! The process of a guest: its start, its pipes, its last words, and its end.
//!
//! One thread writes to it, one reads its frames, one keeps the end of its stderr: whoever asks waits for a channel alone, with a
//! time limit. The process leads a group of its own, so that whatever it starts ends with it, and so that Ctrl-C in a terminal
//! reaches this program, which decides what becomes of the guest.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, IoSlice, Read, Write};
use std::process::{Child as Process, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::{GuestError, LastWords, Result};
use crate::frame::{Frame, FrameError, Frames};
use crate::living;

/// Lines of stderr that are kept.
const KEPT_LINES: usize = 40;
/// Bytes of a line that are kept.
const KEPT_BYTES: usize = 400;
/// How long a group that was asked to end may take.
const GRACE: Duration = Duration::from_secs(10);
/// How long a guest that was told goodbye may take.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long the frames of a guest that has ended may take to arrive.
const LAST_FRAMES: Duration = Duration::from_secs(1);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Where numpy, torch and their relatives read how many threads to use.
const THREADS: [&str; 3] = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"];

/// What the reader found.
type Found = std::result::Result<Frame, Option<FrameError>>;

/// A process that is a guest.
#[derive(Debug)]
pub struct Child {
    process: Process,
    /// Absent once it was told to end.
    out: Option<Sender<(Vec<u8>, Vec<u8>)>>,
    frames: Receiver<Found>,
    most_payload: Arc<AtomicU64>,
    words: Arc<Mutex<VecDeque<String>>>,
    listener: Option<JoinHandle<()>>,
    has_ended: bool,
}

/// How a process group is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It may tidy up.
    Please,
    /// It is killed.
    Now,
}

/// Why there is no frame.
#[derive(Debug)]
pub enum NoFrame {
    /// The process ended, or closed its stdout.
    Ended,
    /// What came is none.
    Bad(FrameError),
    /// Nothing came within the time.
    Late,
    /// `is_cancelled` said so.
    Cancelled,
}

impl Child {
    /// Starts a command, without a shell. Libraries that ask the environment for a number of threads are told `threads`, unless the
    /// user says something else there: sums over another number of threads are other sums.
    ///
    /// # Errors
    /// [`GuestError::Start`].
    pub fn start(command: &[String], threads: usize) -> Result<Self> {
        let refuse = |problem: String| GuestError::Start {
            command: command.join(" "),
            problem,
        };
        let (program, arguments) = command
            .split_first()
            .ok_or_else(|| refuse("it is empty".to_owned()))?;
        let mut builder = Command::new(program);
        builder
            .args(arguments)
            // What a guest computes may hang on these, and is to be the same on every call.
            .env("PYTHONHASHSEED", "0")
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for name in THREADS {
            if std::env::var_os(name).is_none() {
                builder.env(name, threads.to_string());
            }
        }
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut builder, 0);
        let mut process = builder.spawn().map_err(|error| refuse(error.to_string()))?;
        living::note(process.id());
        let (Some(stdin), Some(stdout), Some(stderr)) = (
            process.stdin.take(),
            process.stdout.take(),
            process.stderr.take(),
        ) else {
            return Err(refuse("it has no pipes".to_owned()));
        };
        let (out, to_write) = channel();
        thread::spawn(move || write(stdin, &to_write));
        let (send, frames) = sync_channel(1);
        let most_payload = Arc::new(AtomicU64::new(0));
        let most = Arc::clone(&most_payload);
        thread::spawn(move || {
            let mut stream = Frames::new(stdout);
            loop {
                let next = stream.next(|| most.load(Ordering::SeqCst));
                let found = match next {
                    Ok(Some(frame)) => Ok(frame),
                    Ok(None) => Err(None),
                    Err(error) => Err(Some(error)),
                };
                let is_last = found.is_err();
                if send.send(found).is_err() || is_last {
                    return;
                }
            }
        });
        let words = Arc::new(Mutex::new(VecDeque::new()));
        let kept = Arc::clone(&words);
        let listener = thread::spawn(move || listen(stderr, &kept));
        Ok(Self {
            process,
            out: Some(out),
            frames,
            most_payload,
            words,
            listener: Some(listener),
            has_ended: false,
        })
    }

    /// Sends a message whose answer has a payload of at most `most_payload` bytes. It returns at once; a guest that is gone is
    /// noticed when its answer does not come.
    ///
    /// # Errors
    /// [`FrameError::TooLong`] for a header beyond its bound.
    pub fn send(&mut self, frame: Frame, most_payload: u64) -> Result<(), FrameError> {
        self.most_payload.store(most_payload, Ordering::SeqCst);
        let parts = frame.into_parts()?;
        if let Some(out) = &self.out {
            // The writer is gone with the process.
            let _ = out.send(parts);
        }
        Ok(())
    }

    /// The next message.
    ///
    /// # Errors
    /// [`NoFrame`].
    pub fn receive(
        &mut self,
        patience: Duration,
        is_cancelled: &dyn Fn() -> bool,
    ) -> std::result::Result<Frame, NoFrame> {
        let begun = Instant::now();
        let mut asked_to_stop: Option<Instant> = None;
        let mut gone: Option<Instant> = None;
        loop {
            match self.frames.recv_timeout(Duration::from_millis(100)) {
                Ok(Ok(frame)) => return Ok(frame),
                Ok(Err(Some(error))) => return Err(NoFrame::Bad(error)),
                Ok(Err(None)) | Err(RecvTimeoutError::Disconnected) => return Err(NoFrame::Ended),
                Err(RecvTimeoutError::Timeout) => {}
            }
            // What it started may hold its stdout open, and no end of the stream would tell. What it wrote is read before.
            if matches!(self.process.try_wait(), Ok(Some(_)))
                && gone.get_or_insert_with(Instant::now).elapsed() >= LAST_FRAMES
            {
                return Err(NoFrame::Ended);
            }
            if begun.elapsed() >= patience {
                return Err(NoFrame::Late);
            }
            if is_cancelled() && asked_to_stop.get_or_insert_with(Instant::now).elapsed() >= GRACE {
                return Err(NoFrame::Cancelled);
            }
        }
    }

    /// The last lines of its stderr so far.
    #[must_use]
    pub fn last_words(&self) -> LastWords {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        LastWords(words.iter().cloned().collect())
    }

    /// Waits for a process that closed its stdout, and says how it ended; one that goes on without is killed.
    pub fn status(&mut self) -> String {
        if let Some(status) = self.wait(Duration::from_secs(2)) {
            self.finish();
            return status;
        }
        self.kill();
        "it closed its stdout, went on, and was killed".to_owned()
    }

    /// Tells it goodbye by closing its stdin, and waits; one that stays is killed.
    pub fn farewell(mut self) {
        self.out = None;
        if self.wait(FAREWELL).is_some() {
            self.finish();
        }
    }

    /// Asks the group to end, and kills it if it does not.
    pub fn end(&mut self) {
        if self.has_ended {
            return;
        }
        self.out = None;
        signal(self.process.id(), End::Please);
        self.wait(GRACE);
        self.kill();
    }

    /// Kills the group.
    fn kill(&mut self) {
        if self.has_ended {
            return;
        }
        signal(self.process.id(), End::Now);
        // Where there are no groups, and for a process that left its own.
        let _ = self.process.kill();
        let _ = self.process.wait();
        self.finish();
    }

    /// The process has ended: so does what it started, and its last words are heard.
    fn finish(&mut self) {
        self.has_ended = true;
        self.out = None;
        signal(self.process.id(), End::Now);
        living::forget(self.process.id());
        let begun = Instant::now();
        if let Some(listener) = self.listener.take() {
            // A process that left the group may hold the pipe.
            while !listener.is_finished() && begun.elapsed() < Duration::from_secs(1) {
                thread::sleep(PAUSE);
            }
        }
    }

    fn wait(&mut self, patience: Duration) -> Option<String> {
        let begun = Instant::now();
        loop {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Some(status.to_string());
            }
            if begun.elapsed() >= patience {
                return None;
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Writes what it is given, until either side ends.
fn write(mut stdin: ChildStdin, to_write: &Receiver<(Vec<u8>, Vec<u8>)>) {
    // A program may have asked to be ended by this signal when nobody reads its stdout; a guest that is gone is no such case.
    #[cfg(unix)]
    {
        let mut pipe = nix::sys::signal::SigSet::empty();
        pipe.add(nix::sys::signal::Signal::SIGPIPE);
        let _ = pipe.thread_block();
    }
    for (before, payload) in to_write {
        if write_both(&mut stdin, &before, &payload)
            .and_then(|()| stdin.flush())
            .is_err()
        {
            return;
        }
    }
}

/// Writes two pieces, with one call to the system where the pipe has room: put together first, they would be copied once more, and
/// written one after the other, the reader would be woken twice.
fn write_both(out: &mut impl Write, first: &[u8], second: &[u8]) -> io::Result<()> {
    let n_written = loop {
        match out.write_vectored(&[IoSlice::new(first), IoSlice::new(second)]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    let of_first = n_written.min(first.len());
    out.write_all(&first[of_first..])?;
    out.write_all(&second[n_written - of_first..])
}

/// Keeps the last lines of a stream.
fn listen(stream: impl Read, kept: &Mutex<VecDeque<String>>) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        match stream.by_ref().take(1 << 16).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line[..line.len().min(KEPT_BYTES)]);
        let text: String = text
            .trim_end()
            .chars()
            .filter(|c| !c.is_control())
            .collect();
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT_LINES {
            kept.pop_front();
        }
        kept.push_back(text);
    }
}

/// Sends a signal to a process group; one that is gone is no error.
#[cfg(unix)]
pub(crate) fn signal(leader: u32, end: End) {
    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;
    let signal = match end {
        End::Please => Signal::SIGTERM,
        End::Now => Signal::SIGKILL,
    };
    if let Ok(leader) = i32::try_from(leader) {
        let _ = killpg(Pid::from_raw(leader), signal);
    }
}

/// Groups are a matter of Unix; elsewhere the process alone is killed.
#[cfg(not(unix))]
pub(crate) fn signal(_leader: u32, _end: End) {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes at most so many bytes a call, as a pipe that is nearly full does.
    struct Narrow(usize, Vec<u8>);

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n_bytes = bytes.len().min(self.0);
            self.1.extend_from_slice(&bytes[..n_bytes]);
            Ok(n_bytes)
        }

        fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
            let all: Vec<u8> = pieces.iter().flat_map(|piece| piece.to_vec()).collect();
            self.write(&all)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn both_pieces_arrive_wherever_the_pipe_cuts_them() {
        for width in 1..12 {
            for (first, second) in [
                ("header", "payload"),
                ("header", ""),
                ("", "payload"),
                ("", ""),
            ] {
                let mut out = Narrow(width, Vec::new());
                write_both(&mut out, first.as_bytes(), second.as_bytes()).unwrap();
                assert_eq!(out.1, [first, second].concat().as_bytes());
            }
        }
    }
}
