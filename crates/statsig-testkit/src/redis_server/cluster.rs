//! A cluster of masters.

use std::io;

use super::{RedisServer, free_port, wait_until};

/// Hash slots of a cluster.
const SLOTS: usize = 16_384;

/// A cluster: masters that share the slots evenly, without replicas.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts that many nodes and joins them. Needs Redis 7.
    ///
    /// # Errors
    /// If a node does not start, or they do not find each other.
    pub fn start(nodes: usize) -> io::Result<Self> {
        Self::start_with(&vec![Vec::new(); nodes])
    }

    /// Starts one node for each list of more configuration, and joins them. Needs Redis 7.
    ///
    /// # Errors
    /// If a node does not start, or they do not find each other.
    pub fn start_with(configurations: &[Vec<(&str, &str)>]) -> io::Result<Self> {
        let nodes = configurations
            .iter()
            .map(|more| {
                let bus = free_port()?.to_string();
                let usual = [("cluster-enabled", "yes"), ("cluster-node-timeout", "2000"), ("cluster-port", &*bus)];
                RedisServer::start_with(&[&usual, more.as_slice()].concat()).map(|node| (node, bus))
            })
            .collect::<io::Result<Vec<_>>>()?;
        for (at, (node, _)) in nodes.iter().enumerate() {
            let (first, after) = (at * SLOTS / nodes.len(), (at + 1) * SLOTS / nodes.len());
            node.command(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &(after - 1).to_string()])?;
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(at + 1).to_string()])?;
        }
        let Some(((first, _), others)) = nodes.split_first() else {
            return Err(io::Error::other("a cluster without nodes"));
        };
        for (node, bus) in others {
            first.command(&["CLUSTER", "MEET", "127.0.0.1", &node.port().to_string(), bus])?;
        }
        let known = format!("cluster_known_nodes:{}\r", nodes.len());
        wait_until("all nodes of the cluster know each other", || {
            nodes.iter().all(|(node, _)| {
                node.command(&["CLUSTER", "INFO"])
                    .is_ok_and(|info| info.text().contains("cluster_state:ok\r") && info.text().contains(&known))
            })
        })?;
        Ok(Self { nodes: nodes.into_iter().map(|(node, _)| node).collect() })
    }

    /// The nodes.
    #[must_use]
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// The URLs of the nodes.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::url).collect()
    }

    /// The node that holds a key.
    ///
    /// # Errors
    /// If no node says that it does.
    pub fn owner(&self, key: &str) -> io::Result<&RedisServer> {
        self.nodes
            .iter()
            .find(|node| node.command(&["EXISTS", key]).is_ok())
            .ok_or_else(|| io::Error::other(format!("no node holds the slot of {key}")))
    }

    /// Moves the slot of a key to another node, with the key in it: one that has no other key.
    ///
    /// # Errors
    /// If a node refuses.
    pub fn move_key(&self, key: &str) -> io::Result<()> {
        let from = self.owner(key)?;
        let Some(to) = self.nodes.iter().find(|node| node.port() != from.port()) else {
            return Err(io::Error::other("there is no other node"));
        };
        let id = |node: &RedisServer| node.command(&["CLUSTER", "MYID"]).map(|id| id.text());
        let (from_id, to_id) = (id(from)?, id(to)?);
        let slot = from.command(&["CLUSTER", "KEYSLOT", key])?.text();
        to.command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id])?;
        from.command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id])?;
        from.command(&["MIGRATE", "127.0.0.1", &to.port().to_string(), key, "0", "5000"])?;
        to.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id])?;
        from.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id])?;
        Ok(())
    }
}
