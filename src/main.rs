//! The command `steadyhand`.

use std::process::ExitCode;

fn main() -> ExitCode {
    steadyhand::cli::main()
}
