//! How often somebody may try a wrong password: a bucket of tries for each client, refilled as time passes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::model::Timestamp;

/// Wrong passwords that may come one behind the other.
const TRIES: f64 = 10.0;
/// Until there is one more try.
const REFILL: f64 = 10.0;
/// Most clients that are told apart. Who finds no room shares a bucket with all others who find none: slow for them, safe for us.
const CLIENTS: usize = 10_000;

/// See the module.
#[derive(Default)]
pub(super) struct Guesses {
    clients: HashMap<Client, Bucket>,
}

/// Whose tries are counted together: an address, or a network as one customer gets it (RFC 6177); `None` for those without room.
type Client = Option<IpAddr>;

#[derive(Clone, Copy)]
struct Bucket {
    left: f64,
    at: Timestamp,
}

impl Bucket {
    fn left(&self, now: Timestamp) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "seconds between two requests")]
        let passed = (now - self.at).num_milliseconds().max(0) as f64 / 1_000.0;
        (self.left + passed / REFILL).min(TRIES)
    }
}

impl Guesses {
    /// Takes one try; else tells how long to wait for one, in whole seconds.
    pub(super) fn take(&mut self, address: IpAddr, now: Timestamp) -> Result<(), Duration> {
        let client = self.client(address, now);
        let bucket = self.clients.entry(client).or_insert(Bucket { left: TRIES, at: now });
        let left = bucket.left(now);
        if left < 1.0 {
            return Err(Duration::from_secs_f64(((1.0 - left) * REFILL).ceil().max(1.0)));
        }
        *bucket = Bucket { left: left - 1.0, at: now };
        Ok(())
    }

    /// The password was right: no guess.
    pub(super) fn give_back(&mut self, address: IpAddr, now: Timestamp) {
        let client = self.client(address, now);
        if let Some(bucket) = self.clients.get_mut(&client) {
            *bucket = Bucket { left: (bucket.left(now) + 1.0).min(TRIES), at: now };
        }
    }

    fn client(&mut self, address: IpAddr, now: Timestamp) -> Client {
        let client = Some(network(address));
        if self.clients.contains_key(&client) {
            return client;
        }
        if self.clients.len() >= CLIENTS {
            self.clients.retain(|_, bucket| bucket.left(now) < TRIES);
        }
        client.filter(|_| self.clients.len() < CLIENTS)
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + chrono::TimeDelta::seconds(seconds)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn so_many_tries_and_then_one_for_each_ten_seconds() {
        let mut guesses = Guesses::default();
        let one = address("192.0.2.1");
        for _ in 0..10 {
            assert_eq!(guesses.take(one, at(0)), Ok(()));
        }
        assert_eq!(guesses.take(one, at(0)), Err(Duration::from_secs(10)));
        assert_eq!(guesses.take(one, at(4)), Err(Duration::from_secs(6)));
        assert_eq!(guesses.take(one, at(10)), Ok(()));
        assert!(guesses.take(one, at(10)).is_err());
        guesses.give_back(one, at(10));
        assert_eq!(guesses.take(one, at(10)), Ok(()));
        // A clock that goes back gives nothing away.
        assert!(guesses.take(one, at(-1_000)).is_err());
    }

    #[test]
    fn each_client_has_its_own_tries_and_a_network_of_one_customer_is_one_client() {
        let mut guesses = Guesses::default();
        for (number, (other, is_same)) in
            [("2001:db8:1:2::2", true), ("2001:db8:1:3::1", false), ("192.0.2.1", false), ("::ffff:192.0.2.1", false)]
                .into_iter()
                .enumerate()
        {
            let now = at(i64::try_from(number).unwrap() * 1_000);
            while guesses.take(address("2001:db8:1:2::1"), now).is_ok() {}
            assert_eq!(guesses.take(address(other), now).is_err(), is_same, "{other}");
        }
    }

    #[test]
    fn the_table_does_not_grow_without_end() {
        let mut guesses = Guesses::default();
        for number in 0..CLIENTS + 100 {
            let number = u32::try_from(number).unwrap();
            let _ = guesses.take(IpAddr::from(number.to_be_bytes()), at(0));
        }
        assert!(guesses.clients.len() <= CLIENTS + 1);
        // Who finds no room shares a bucket, which is empty by now.
        assert!(guesses.take(address("203.0.113.9"), at(0)).is_err());
        // As time passes, room is made.
        assert_eq!(guesses.take(address("203.0.113.9"), at(1_000)), Ok(()));
        assert!(guesses.clients.len() < 10);
    }
}
