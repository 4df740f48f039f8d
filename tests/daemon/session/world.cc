#include "tests/daemon/session/world.h"

#include <new>
#include <variant>

#include "daemon/passdb/mask.h"

namespace saslatch::testing {
namespace {

using std::chrono::milliseconds;

std::string describe(const AuthEvent& event) {
  std::string text(to_string(event.outcome));
  if (event.cause) text.append(" ").append(to_string(*event.cause));
  text += " user=" + event.user;
  text += " mech=" + event.mech;
  if (!event.rule.empty()) text += " rule=" + event.rule + " subject=" + event.subject;
  if (event.would) text.append(" would=").append(to_string(*event.would));
  if (event.repeat) text += " repeat";
  return text;
}

}  // namespace

void MemoryPassdb::find(std::string username, std::function<void(passdb::Lookup)> done) {
  ++lookups_;
  if (down_) return done(passdb::Unavailable{"down for the test"});
  const auto alias = aliases_.find(username);
  const std::string& account = alias == aliases_.end() ? username : alias->second;
  const auto found = stored_.find(account);
  if (found == stored_.end()) return done(passdb::UnknownUser{});
  passdb::Account answer;
  answer.name = account;
  answer.credentials.emplace_back(found->second);
  answer.disabled = account == disabled_;
  done(std::move(answer));
}

bool MemoryPassdb::list(std::string_view mask,
                        const std::function<bool(std::string_view name)>& each) {
  if (down_) return false;
  for (const auto& [name, stored] : stored_) {
    if (passdb::matches_mask(mask, name) && !each(name)) break;
  }
  return true;
}

passdb::PassdbStatus MemoryPassdb::status() const {
  passdb::PassdbStatus status;
  status.name = "memory";
  status.driver = "memory";
  status.available = !down_;
  return status;
}

int PatientWorkers::run_all() {
  int count = 0;
  for (; !waiting_.empty(); ++count) {
    const auto check = std::move(waiting_.front());
    waiting_.pop_front();
    try {
      check->run();
    } catch (const std::bad_alloc&) {
      try {
        check->overload();
      } catch (const std::bad_alloc&) {
      }
    }
  }
  return count;
}

int PatientWorkers::overload_all() {
  int count = 0;
  for (; !waiting_.empty(); ++count) {
    const auto check = std::move(waiting_.front());
    waiting_.pop_front();
    check->overload();
  }
  return count;
}

void LetterBox::empty_into(Now now) {
  while (!letters_.empty()) {
    const Letter letter = std::move(letters_.front());
    letters_.pop_front();
    if (session != nullptr) letter(*session, now);
  }
}

policy::Settings three_failures_a_minute() {
  policy::Settings settings;
  policy::Rule rule;
  rule.name = "guess";
  rule.count = policy::Count::kFailures;
  rule.by = policy::By::kUser;
  rule.limit = {3, std::chrono::minutes(1)};
  rule.then = policy::Then::kLock;
  rule.lasts = std::chrono::minutes(5);
  settings.rules = {rule};
  return settings;
}

void OtherHosts::settle(policy::SharedSettlement settlement) {
  size_t events = 0, releases = 0, backs = 0;
  for (const policy::SharedHold& hold : settlement.holds) {
    for (const policy::SharedRule& rule : hold.rules) {
      events += rule.is_event ? 1 : 0;
      releases += rule.token != 0 ? 1 : 0;
      backs += rule.gives_back ? 1 : 0;
    }
  }
  told.push_back("events=" + std::to_string(events) + " releases=" + std::to_string(releases) +
                 " gives-back=" + std::to_string(backs));
}

bool OtherHosts::answer(policy::SharedReply reply) {
  if (asked_.empty()) return false;
  const auto [request, done] = std::move(asked_.front());
  asked_.pop_front();
  done(std::move(reply));
  return true;
}

void World::share() {
  engine.share(policy::HashKey{}, random);
  services.sharing = &others;
}

World::World(policy::Settings policy)
    : now{Mono{std::chrono::hours(1)}, Wall{std::chrono::hours(24 * 365 * 50)},
          Wall{std::chrono::hours(24 * 365 * 50)}},
      holds(policy.held_answers),
      engine(policy, policy::HashKey{}, random, &journal),
      services{engine, workers, workers, *this, metrics, random, *this, *this},
      settings(std::make_shared<Settings>(make_settings())) {}

Settings World::make_settings() {
  const auto known = sasl::known_mechanisms();
  const std::vector<std::string> offer = {"PLAIN", "LOGIN", "CRAM-MD5"};
  UsernameRules usernames;
  usernames.allow("abcdefghijklmnopqrstuvwxyz0123456789.-_@+");
  std::vector<std::shared_ptr<passdb::Passdb>> chain = {passdb};
  return Settings{.mechanisms = std::move(sasl::Registry::create(known, offer).value()),
                  .verifier = std::make_shared<const passdb::Verifier>(chain, *this, random),
                  .usernames = usernames,
                  .hostname = "mail.example.org",
                  .failure_delay = engine.settings()->failure_delay,
                  .max_hold = engine.settings()->max_hold,
                  .listeners = {{"smtp", {"smtp", true, true}},
                                {"replying", {"replying", true, false}},
                                {"clear", {"clear", false, true}}}};
}

void World::set(const std::function<void(Settings&)>& change) {
  auto next = std::make_shared<Settings>(make_settings());
  change(*next);
  settings = next;
}

void World::set_disk_hangs(bool hangs) {
  disk_hangs_ = hangs;
  if (hangs) return;
  for (const auto& then : std::exchange(waiting_for_disk_, {})) then();
}

void World::advance(milliseconds by) {
  now.mono += by;
  now.wall += by;
  now.policy += by;
}

void World::write(const Event& event) {
  if (const auto* const auth = std::get_if<AuthEvent>(&event)) {
    audited.push_back(describe(*auth));
  } else if (const auto* const lock = std::get_if<LockEvent>(&event)) {
    audited.push_back("lock " + lock->subject + " rule=" + lock->rule);
  }
}

}  // namespace saslatch::testing
