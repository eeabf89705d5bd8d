//! One run a resource: the claim is part of the append, and the append is refused when another run holds it.

use steadyhand::journal::AppendError;
use steadyhand::plan::Resource;
use steadyhand::run::RunId;
use steadyhand::runbook::source::name::{ClusterName, HostName};

use super::{Folder, a_claim, a_request, an_ended_run, write};
use crate::run::plans::noon;

#[tokio::test]
async fn a_second_run_on_the_same_cluster_is_refused_and_told_who_and_since_when() {
    let folder = Folder::new();
    let journal = folder.open();
    journal.append(a_request(1)).await.unwrap();
    journal.append(a_request(2)).await.unwrap();
    journal.append(a_claim(1, 1, &[("cluster/orders", 1)])).await.unwrap();

    let error = journal.append(a_claim(2, 1, &[("cluster/orders", 2)])).await.unwrap_err();

    let AppendError::Held(held) = &error else { panic!("{error}") };
    assert_eq!((held.run, held.token, held.since), (RunId(1), 1, noon()));
    assert_eq!(error.to_string(), "cluster/orders is held by run 1");
    assert_eq!(journal.view().entries_of(RunId(2)).unwrap().len(), 1, "nothing of it was written");
}

#[tokio::test]
async fn a_claim_of_two_is_a_claim_of_both_or_of_none() {
    let folder = Folder::new();
    let journal = folder.open();
    journal.append(a_request(1)).await.unwrap();
    journal.append(a_request(2)).await.unwrap();
    journal.append(a_claim(1, 1, &[("host/pg2", 1)])).await.unwrap();

    let both = a_claim(2, 1, &[("host/pg1", 1), ("host/pg2", 2)]);
    journal.append(both).await.unwrap_err();

    let holds = journal.view().holds().unwrap();
    assert_eq!(holds.len(), 1);
    assert_eq!(holds[0].resource, Resource("host/pg2".to_owned()));
    assert_eq!(
        journal.view().next_tokens(&[Resource("host/pg1".to_owned())]).unwrap()[0].1,
        1,
        "no token is spent"
    );
}

#[tokio::test]
async fn two_claims_in_one_commit_are_two_claims() {
    let folder = Folder::new();
    let journal = folder.open();
    for id in 1..=20 {
        journal.append(a_request(id)).await.unwrap();
    }

    let mut tasks = tokio::task::JoinSet::new();
    for id in 1..=20 {
        let journal = journal.clone();
        tasks.spawn(async move { journal.append(a_claim(id, 1, &[("cluster/orders", 1)])).await });
    }
    let results = tasks.join_all().await;

    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let others = results.into_iter().filter_map(Result::err);
    assert!(others.into_iter().all(|error| matches!(error, AppendError::Held(_))));
    assert_eq!(journal.view().holds().unwrap().len(), 1);
}

#[tokio::test]
async fn what_a_run_held_is_free_when_it_has_ended() {
    let folder = Folder::new();
    let journal = folder.open();
    write(&journal, RunId(1), &an_ended_run().log).await;
    journal.append(a_request(2)).await.unwrap();

    assert!(journal.view().holds().unwrap().is_empty());
    journal.append(a_claim(2, 1, &[("cluster/orders", 2)])).await.unwrap();

    assert_eq!(journal.view().holds().unwrap()[0].run, RunId(2));
}

#[tokio::test]
async fn a_fencing_token_only_grows() {
    let folder = Folder::new();
    let journal = folder.open();
    write(&journal, RunId(1), &an_ended_run().log).await;
    journal.append(a_request(2)).await.unwrap();

    let error = journal.append(a_claim(2, 1, &[("cluster/orders", 1)])).await.unwrap_err();

    let resource = Resource("cluster/orders".to_owned());
    assert_eq!(error, AppendError::StaleToken { resource: resource.clone(), token: 1, last: 1 });
    assert_eq!(journal.view().next_tokens(&[resource]).unwrap()[0].1, 2);
}

#[test]
fn a_host_is_told_of_clusters_and_of_itself_and_of_no_other_host() {
    let name = |text| HostName::new(text).unwrap();
    let cluster = Resource::cluster(&ClusterName::new("orders").unwrap());

    assert!(cluster.concerns(&name("pg1")) && Resource::host(&name("pg1")).concerns(&name("pg1")));
    assert!(!Resource::host(&name("pg11")).concerns(&name("pg1")));
}
