//! A membership agent: it joins a group, prints what happens as lines of text or JSON, takes
//! commands on stdin, and says goodbye on Ctrl-C, on SIGTERM and at the command `leave`.
//!
//! ```text
//! head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' > secret
//! cargo run -p swarm-swim --example agent -- --name a --bind 127.0.0.1:7001 --secret secret
//! cargo run -p swarm-swim --example agent -- --name b --bind 127.0.0.1:7002 --secret secret \
//!     --seed 127.0.0.1:7001 --tag role=web --tag rack=7
//! ```
//!
//! Tags are what a node tells everybody about itself, at most 512 bytes of them. `help` lists the
//! commands.

mod args;
mod command;
mod form;
mod lines;
mod report;
mod signals;

use args::Args;
use clap::Parser;
use command::Command;
use report::Report;
use std::error::Error;
use std::process::ExitCode;
use swarm_swim::udp::{Group, Notice};
use swarm_swim::{Event, KeyChange};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let mut report = Report::new(args.style());
    let seeds = args.seeds().await?;
    let group = args.start().await?;
    report.started(&group)?;
    let mut notices = group.subscribe(args.filter());
    if !seeds.is_empty() {
        group.join(seeds).await;
    }
    let mut input = lines::stdin();
    let mut input_ended = false;
    let mut signals = std::pin::pin!(signals::interrupted());
    loop {
        tokio::select! {
            notice = notices.next() => match notice {
                Some(notice) => {
                    report.notice(&notice, &group)?;
                    if let Notice::Event(Event::NameTaken { holder }) = notice {
                        let name = group.id().name;
                        return Err(format!("the name {name} is taken, by a node at {holder}").into());
                    }
                }
                None => return Err("the node has ended by itself".into()),
            },
            line = input.recv(), if !input_ended => match line {
                Some(line) => match obey(&line, &group, &mut report).await? {
                    Next::GoOn => (),
                    Next::Leave => break,
                },
                None if args.ends_with_stdin() => break,
                None => input_ended = true,
            },
            result = &mut signals => {
                result?;
                break;
            }
        }
    }
    group.leave().await;
    while let Some(notice) = notices.next().await {
        if let Notice::Event(event) = notice {
            report.last_event(&event)?;
        }
    }
    Ok(())
}

/// What comes after a command.
enum Next {
    GoOn,
    Leave,
}

async fn obey(line: &str, group: &Group, report: &mut Report) -> Result<Next, Box<dyn Error>> {
    match Command::parse(line) {
        Ok(None) => (),
        Ok(Some(Command::Members)) => report.members(group)?,
        Ok(Some(Command::Counters)) => report.counters(group)?,
        Ok(Some(Command::ShowTags)) => report.own_tags(group)?,
        Ok(Some(Command::SetTags(tags))) => match tags.to_metadata() {
            Ok(metadata) => {
                group.set_metadata(metadata).await;
                report.tags(&tags)?;
            }
            Err(error) => report.refused(&error.to_string())?,
        },
        Ok(Some(Command::Keys)) => report.keys(group)?,
        Ok(Some(Command::Install(text))) => match args::secret(&text) {
            Ok(secret) => change_keys(group, KeyChange::Install(secret), report).await?,
            Err(error) => report.refused(&error.to_string())?,
        },
        Ok(Some(Command::Use(id))) => change_keys(group, KeyChange::Use(id), report).await?,
        Ok(Some(Command::Remove(id))) => change_keys(group, KeyChange::Remove(id), report).await?,
        Ok(Some(Command::Join(seeds))) => {
            group.join(seeds).await;
            report.done("join")?;
        }
        Ok(Some(Command::Help)) => report.help()?,
        Ok(Some(Command::Leave)) => return Ok(Next::Leave),
        Err(sentence) => report.refused(&sentence)?,
    }
    Ok(Next::GoOn)
}

/// Takes a step of changing the secret, and tells how it ended.
async fn change_keys(
    group: &Group,
    change: KeyChange,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    match group.change_keys(change).await {
        Some(Ok(done)) if done.is_complete() => report.key_change(&done)?,
        Some(Ok(done)) => report.refused(&done.to_string())?,
        Some(Err(error)) => report.refused(&error.to_string())?,
        None => report.refused("the node has ended")?,
    }
    Ok(())
}
