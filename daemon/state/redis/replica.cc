#include "daemon/state/redis/replica.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace saslatch::state::redis {
namespace {

// News that the stream keeps, about: who was away longer reads everything instead.
constexpr const char* kStreamLength = "100000";
// News kept while there is no server. Beyond, the oldest go: locks are in the engine, and are told
// from there.
constexpr size_t kMaxUntold = 100'000;
// How long a blocking read waits: also what shows that the connection lives.
constexpr const char* kBlockMilliseconds = "1000";
constexpr const char* kScanCount = "500";
constexpr size_t kPushedAtOnce = 500;
// Ends of one lock that differ by less are the same: times are told in milliseconds.
constexpr std::chrono::milliseconds kSameEnd(2);
// What stands for all subjects among those that were cleared.
constexpr const char* kAll = "all";
// Of these the newest are kept: a host that was away meanwhile has few locks that long.
constexpr const char* kBeyondCleared = "-5001";
// Growth remembers a lock for so long after its end (DESIGN 6.4).
constexpr std::chrono::hours kLockMemory(24);

// An entry's id, `MILLISECONDS-NUMBER`, to be compared.
std::tuple<uint64_t, uint64_t> id_of(const std::string& text) {
  const size_t dash = text.find('-');
  const auto number = [&](size_t from) { return std::strtoull(text.c_str() + from, nullptr, 10); };
  return {number(0), dash == std::string::npos ? 0 : number(dash + 1)};
}

// The id of the only entry of XRANGE or XREVRANGE; empty if there is none.
std::string only_id(const Reply& reply) {
  if (reply.items.empty() || reply.items[0].items.empty()) return {};
  return reply.items[0].items[0].text;
}

}  // namespace

Replica::Replica(policy::Engine& engine, Log& log, Clock clock, ServerClock& server_clock,
                 KeyNames keys, std::string self)
    : engine_(engine),
      log_(log),
      clock_(std::move(clock)),
      server_clock_(server_clock),
      keys_(std::move(keys)),
      self_(std::move(self)) {}

Client::Callback Replica::guarded(Client::Callback then) {
  return [this, now = joined_, then = std::move(then)](const Reply& reply) {
    if (now == joined_ && !reply.is_error()) then(reply);
  };
}

void Replica::join(Cluster& commands, Client& news, std::function<void()> met) {
  ++joined_;
  commands_ = &commands;
  news_ = &news;
  has_met_ = false;
  met_ = std::move(met);
  commands_->call(
      {"XRANGE", keys_.changes(), "-", "+", "COUNT", "1"}, guarded([this](const Reply& first) {
        commands_->call({"XREVRANGE", keys_.changes(), "+", "-", "COUNT", "1"},
                        guarded([this, first](const Reply& last) { compare(first, last); }));
      }));
}

void Replica::leave() {
  ++joined_;
  if (!is_complete_) position_.clear();  // all of it once more
  commands_ = nullptr;
  news_ = nullptr;
  has_met_ = false;
  cleared_.clear();
  known_.clear();
  locks_.clear();
  familiar_.clear();
}

// Goes on where this host stopped reading, if the stream still has that place: else reads and tells
// everything.
void Replica::compare(const Reply& first, const Reply& last) {
  const std::string oldest = only_id(first), newest = only_id(last);
  const bool goes_on = !position_.empty() && !oldest.empty() && id_of(oldest) <= id_of(position_) &&
                       id_of(position_) <= id_of(newest);
  if (goes_on) return meet();
  position_ = newest.empty() ? "0-0" : newest;
  is_complete_ = false;
  scan(Scan::kCleared, "0", [this] {
    forget_cleared();
    scan(Scan::kLocks, "0", [this] {
      collect();
      push_locks(0);
    });
  });
}

// What an administrator cleared while this host was away it would lock again everywhere.
void Replica::forget_cleared() {
  const policy::Time now = clock_();
  is_applying_ = true;
  for (const policy::Change& change : engine_.durable_state(now)) {
    const auto* const lock = std::get_if<policy::LockRecord>(&change);
    const auto subject = lock != nullptr && !cleared_.empty() ? engine_.subject_of(*lock)
                                                              : std::optional<uint64_t>();
    if (!subject) continue;
    const policy::Time set = lock->until - lock->lasts;
    for (const uint64_t key : {*subject, uint64_t{0}}) {
      const auto known = cleared_.find(key);
      if (known != cleared_.end() && set <= known->second) engine_.forget(*subject, now);
    }
  }
  is_applying_ = false;
  cleared_.clear();
}

void Replica::scan(Scan what, const std::string& cursor, std::function<void()> then) {
  const bool locks = what == Scan::kLocks;
  const std::string key = locks                    ? keys_.locks()
                          : what == Scan::kCleared ? keys_.cleared()
                                                   : keys_.familiar();
  commands_->call({locks ? "HSCAN" : "ZSCAN", key, cursor, "COUNT", kScanCount},
                  guarded([this, what, then = std::move(then)](const Reply& reply) {
                    if (reply.items.size() != 2) return;
                    take_scanned(what, reply.items[1]);
                    if (reply.items[0].text == "0") return then();
                    scan(what, reply.items[0].text, then);
                  }));
}

// Pairs of name and value.
void Replica::take_scanned(Scan what, const Reply& pairs) {
  for (size_t i = 0; i + 1 < pairs.items.size(); i += 2) {
    const std::string& name = pairs.items[i].text;
    const std::string& value = pairs.items[i + 1].text;
    if (what == Scan::kLocks) {
      const auto news = decode(value, server_clock_);
      const auto* const lock = news ? std::get_if<policy::LockRecord>(&*news) : nullptr;
      if (lock == nullptr) continue;  // perhaps a later version understands it
      if (lock->until + kLockMemory > clock_()) {
        if (!has_met_) known_[lock->key] = {lock->until, lock->level};
        apply(*news);
      } else {
        commands_->call({"HDEL", keys_.locks(), name}, [](const Reply&) {});
      }
      continue;
    }
    const auto score = pairs.integer_at(i + 1);
    if (what == Scan::kCleared) {
      const auto subject = name == kAll ? 0 : from_hex(name);
      if (score && subject && is_time(*score))
        cleared_[*subject] = server_clock_.from_server(*score);
      continue;
    }
    const auto record = score ? parse_familiar(name, *score, server_clock_)
                              : std::optional<policy::FamiliarRecord>();
    if (record) apply(*record);
  }
}

// What this host knows and the server does not.
void Replica::collect() {
  for (const policy::Change& change : engine_.durable_state(clock_())) {
    if (const auto* const lock = std::get_if<policy::LockRecord>(&change)) {
      const auto known = known_.find(lock->key);
      if (known == known_.end() || known->second.first + kSameEnd < lock->until ||
          known->second.second < lock->level)
        locks_.push_back(*lock);
    } else if (const auto* const familiar = std::get_if<policy::FamiliarRecord>(&change)) {
      familiar_.push_back(*familiar);
    }
  }
  known_.clear();
}

// A part, and the next one when the server has that: it takes a hundred thousand locks without
// falling silent for so long that it is taken for gone.
void Replica::push_locks(size_t from) {
  const size_t end = std::min(locks_.size(), from + kPushedAtOnce);
  for (size_t i = from; i < end; ++i) send(locks_[i]);
  if (end < locks_.size())
    return commands_->when_done([this, now = joined_, end] {
      if (now == joined_) push_locks(end);
    });
  locks_.clear();
  meet();
  scan(Scan::kFamiliar, "0", [this] { push_familiar(std::move(familiar_), 0); });
}

// A part, and the next one when that is done: no login waits behind a million networks.
void Replica::push_familiar(std::vector<policy::FamiliarRecord> records, size_t from) {
  if (from >= records.size()) {
    is_complete_ = true;
    return;
  }
  Command command{"ZADD", keys_.familiar(), "GT"};
  const size_t end = std::min(records.size(), from + kPushedAtOnce);
  for (size_t i = from; i < end; ++i) {
    command.push_back(std::to_string(server_clock_.to_server(records[i].at)));
    command.push_back(familiar_member(records[i]));
  }
  commands_->call(command, guarded([this, records = std::move(records), end](const Reply&) mutable {
                    push_familiar(std::move(records), end);
                  }));
}

// From here on what happens is told at once.
void Replica::meet() {
  has_met_ = true;
  const auto untold = std::exchange(untold_, {});
  const auto is_lock = [](const News& news) {
    return std::holds_alternative<policy::LockRecord>(news);
  };
  for (const News& news : untold)
    if (is_lock(news)) send(news);
  for (const News& news : untold)
    if (!is_lock(news)) send(news);
  read_news();
  const auto met = std::exchange(met_, {});
  // Behind what has been sent: the first attempt meets the locks.
  commands_->when_done(met);
}

void Replica::tell(News news) {
  if (has_met_) return send(news);
  untold_.push_back(std::move(news));
  if (untold_.size() > kMaxUntold) {
    untold_.pop_front();
    position_.clear();  // everything is told
  }
}

void Replica::send(const News& news) {
  if (const auto* const lock = std::get_if<policy::LockRecord>(&news)) {
    store(*lock);
  } else if (const auto* const familiar = std::get_if<policy::FamiliarRecord>(&news)) {
    commands_->call(
        {"ZADD", keys_.familiar(), "GT", std::to_string(server_clock_.to_server(familiar->at)),
         familiar_member(*familiar)},
        [](const Reply&) {});
  } else if (const auto* const cleared = std::get_if<SubjectCleared>(&news)) {
    commands_->call({"UNLINK", keys_.subject(cleared->subject), keys_.memory(cleared->subject)},
                    [](const Reply&) {});
    Command remove{"HDEL", keys_.locks()};
    for (const uint64_t key : cleared->locks) remove.push_back(to_hex(key));
    if (!cleared->locks.empty()) commands_->call(remove, [](const Reply&) {});
    note_cleared(to_hex(cleared->subject));
  } else if (std::holds_alternative<policy::LocksCleared>(news)) {
    commands_->call({"UNLINK", keys_.locks()}, [](const Reply&) {});
    note_cleared(kAll);
    for (size_t node = 0; node < commands_->nodes(); ++node) forget_subjects(node, "0");
  }
  announce(news);
}

// For hosts that do not hear of it now.
void Replica::note_cleared(const std::string& member) {
  commands_->call(
      {"ZADD", keys_.cleared(), std::to_string(server_clock_.to_server(clock_())), member},
      [](const Reply&) {});
  commands_->call({"ZREMRANGEBYRANK", keys_.cleared(), "0", kBeyondCleared}, [](const Reply&) {});
}

void Replica::announce(const News& news) {
  commands_->call({"XADD", keys_.changes(), "MAXLEN", "~", kStreamLength, "*", "from", self_,
                   "news", encode(news, server_clock_)},
                  [](const Reply&) {});
}

// Where its subject is known, it stands with the subject too: there attempts of other hosts meet it
// before they have read of it.
void Replica::store(const policy::LockRecord& lock) {
  commands_->call({"HSET", keys_.locks(), to_hex(lock.key), encode(lock, server_clock_)},
                  [](const Reply&) {});
  if (lock.rule_id == 0) return;
  if (const auto subject = engine_.subject_of(lock))
    commands_->call(lock_command(keys_, commands_->scripts().lock_sha(), *subject, lock, clock_()),
                    [](const Reply&) {});
}

void Replica::clean() {
  if (!has_met_) return;
  const policy::Time oldest = clock_() - engine_.settings()->familiar_for;
  commands_->call({"ZREMRANGEBYSCORE", keys_.familiar(), "-inf",
                   std::to_string(server_clock_.to_server(oldest))},
                  [](const Reply&) {});
  scan(Scan::kLocks, "0", [] {});
}

void Replica::read_news() {
  news_->call({"XREAD", "BLOCK", kBlockMilliseconds, "COUNT", kScanCount, "STREAMS",
               keys_.changes(), position_},
              guarded([this](const Reply& reply) {
                take_news(reply);
                read_news();
              }));
}

// [[stream, [[id, [from, HOST, news, TEXT]], …]]], or nil.
void Replica::take_news(const Reply& reply) {
  if (reply.items.empty() || reply.items[0].items.size() != 2) return;
  for (const Reply& entry : reply.items[0].items[1].items) {
    if (entry.items.size() != 2) continue;
    position_ = entry.items[0].text;
    const auto& fields = entry.items[1].items;
    if (fields.size() < 4 || fields[1].text == self_) continue;
    if (const auto news = decode(fields[3].text, server_clock_)) {
      apply(*news);
    } else {
      log_.warning("shared-state-nonsense", "what another host told is not understood",
                   {{"from", fields[1].text}});
    }
  }
}

void Replica::apply(const News& news) {
  is_applying_ = true;
  const policy::Time now = clock_();
  if (const auto* const cleared = std::get_if<SubjectCleared>(&news)) {
    engine_.forget(cleared->subject, now);
  } else if (const auto* const given = std::get_if<FailuresGivenBack>(&news)) {
    engine_.give_back(given->subject, given->tag, now);
  } else if (const auto* const window = std::get_if<WindowUsedUp>(&news)) {
    engine_.use_up(window->key);
  } else if (const auto* const lock = std::get_if<policy::LockRecord>(&news)) {
    (void)engine_.learn(*lock, now);
  } else if (const auto* const familiar = std::get_if<policy::FamiliarRecord>(&news)) {
    (void)engine_.learn(*familiar, now);
  } else {
    (void)engine_.learn(policy::LocksCleared{}, now);
  }
  is_applying_ = false;
}

void Replica::forget_subjects(size_t node, const std::string& cursor) {
  commands_->call_on(node, {"SCAN", cursor, "MATCH", keys_.every_subject(), "COUNT", kScanCount},
                     guarded([this, node](const Reply& reply) {
                       if (reply.items.size() != 2) return;
                       // One at a time: in a cluster each has a slot of its own.
                       for (const Reply& key : reply.items[1].items)
                         commands_->call_on(node, {"UNLINK", key.text}, [](const Reply&) {});
                       if (reply.items[0].text != "0") forget_subjects(node, reply.items[0].text);
                     }));
}

}  // namespace saslatch::state::redis
