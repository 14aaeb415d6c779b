//! The program `metastable`.

use std::process::ExitCode;

fn main() -> ExitCode {
    metastable::main()
}
