#include <atomic>
#include <utility>

#include "daemon/passdb/verifier_impl.h"

namespace saslatch::passdb {
namespace {

// How long who only looks an account up waits for its authenticator. Nobody holds an answer for it;
// Dovecot's clients of the master protocol wait for a minute.
constexpr std::chrono::seconds kLookupPatience(5);

}  // namespace

// A check between its look-up and its answer.
struct Verifier::Impl::Proving {
  const CheckRequest& request;
  const Passdb& passdb;
  Progress at;
  Account account;
  Parsed parsed;
  CodeFacts facts;
  Done done;
  HashElsewhere hash_elsewhere;
  bool asked_for_password = false;
};

void Verifier::Impl::judge_somewhere(const CheckRequest& request, const Passdb* passdb,
                                     Lookup found, Progress at, Done done,
                                     const HashElsewhere& hash_elsewhere) const {
  Parsed parsed = parse_all(request, found);
  CodeFacts facts;
  if (const auto* account = std::get_if<Account>(&found); account != nullptr && codes_.book) {
    facts = codes_.book->find(account->name, shown_by(request), request.wall);
  }
  if (auto* account = std::get_if<Account>(&found); account != nullptr && account->authenticator) {
    return prove(std::make_shared<Proving>(Proving{request, *passdb, at, std::move(*account),
                                                   std::move(parsed), std::move(facts),
                                                   std::move(done), hash_elsewhere}));
  }
  // A code that lets in needs no hash.
  const bool is_code =
      facts.found && !request.main_password_only && !why_not(*facts.found, request);
  if (!hash_elsewhere || is_code || !is_slow(request, found, parsed)) {
    return done(judge(request, passdb, found, parsed, std::move(facts), at.judged_for));
  }
  struct Waiting {
    Lookup found;
    Parsed parsed;
    CodeFacts facts;
    Done done;
  };
  auto waiting = std::make_shared<Waiting>(
      Waiting{std::move(found), std::move(parsed), std::move(facts), std::move(done)});
  hash_elsewhere([this, &request, passdb, at, waiting = std::move(waiting)] {
    waiting->done(judge(request, passdb, waiting->found, waiting->parsed, std::move(waiting->facts),
                        at.judged_for));
  });
}

// Where a right password of the account may be remembered.
std::optional<password::VerdictCache::Digest> Verifier::Impl::verdict_of(
    const Proving& proving) const {
  const auto* given = std::get_if<PasswordCredential>(&proving.request.credential);
  if (given == nullptr || proving.account.right_lasts.count() <= 0) return std::nullopt;
  // No stored password begins so, and no name has a NUL in it.
  std::string key("authenticator\0", 14);
  key.append(proving.passdb.name()).append(1, '\0').append(proving.account.name).append(1, '\0');
  key += proving.account.stamp;
  return verdicts_.digest_of(key, given->password.reveal());
}

void Verifier::Impl::prove(const std::shared_ptr<Proving>& proving) const {
  const CheckRequest& request = proving->request;
  CheckResult refused;
  if (!is_admitted(request, proving->account, refused)) return proving->done(std::move(refused));
  const auto* given = std::get_if<PasswordCredential>(&request.credential);
  const auto& code = proving->facts.found;
  const bool is_code = code && !request.main_password_only && !why_not(*code, request);
  ProofRequest ask{NoProof{}, request.service, request.rip, request.deadline};
  if (given != nullptr && !is_code) {
    // An empty password makes an LDAP bind anonymous and successful (RFC 4513, 5.1.2). A code that
    // does not let in is no main password: asked about, it would count as a guess over there.
    if (given->password.empty() || code) {
      const Tried wrong{.ran = true};
      return conclude(*proving, &wrong);
    }
    if (const auto verdict = verdict_of(*proving);
        verdict && verdicts_.knows(*verdict, request.now)) {
      const Tried right{.matched = true, .ran = true, .remembered = true};
      return conclude(*proving, &right);
    }
    proving->asked_for_password = true;
    ask.proof = PasswordProof{given->password.clone()};
  } else if (!proving->account.is_presumed) {
    return conclude(*proving, nullptr);
  }
  const auto authenticator = proving->account.authenticator;
  authenticator->authenticate(
      std::move(ask), [this, proving](const ProofResult& result) { on_proof(proving, result); });
}

void Verifier::Impl::on_proof(const std::shared_ptr<Proving>& proving,
                              const ProofResult& result) const {
  const CheckRequest& request = proving->request;
  Account& account = proving->account;
  const bool is_down = result.verdict == ProofVerdict::kUnavailable;
  if (is_down) {
    note_down(proving->at.index, result.reason, request.now);
  } else {
    note_up(proving->at.index);
  }
  if (result.verdict == ProofVerdict::kUnknownUser || (is_down && account.is_presumed)) {
    const Progress next{proving->at.index + 1, proving->at.any_down || is_down,
                        proving->at.judged_for + result.took};
    return ask(next, request.username, request.now,
               [this, proving](const Passdb* passdb, Lookup found, Progress at) {
                 judge_somewhere(proving->request, passdb, std::move(found), at,
                                 std::move(proving->done), proving->hash_elsewhere);
               });
  }
  Tried tried{.ran = true};
  switch (result.verdict) {
    case ProofVerdict::kRight:
      tried.matched = true;
      break;
    case ProofVerdict::kWrong:
      wrong_times_.note(result.took);
      break;
    case ProofVerdict::kDisabled:
      account.disabled = true;
      break;
    case ProofVerdict::kUnavailable:
    case ProofVerdict::kUnknownUser:
      return proving->done({.outcome = CheckResult::Outcome::kUnavailable,
                            .account = account.name,
                            .nodelay = account.nodelay,
                            .passdb = std::string(proving->passdb.name()),
                            .credential = {}});
  }
  if (!proving->asked_for_password) return conclude(*proving, nullptr);
  if (tried.matched) {
    if (const auto verdict = verdict_of(*proving)) {
      verdicts_.remember(*verdict, request.now, account.right_lasts);
    }
  }
  conclude(*proving, &tried);
}

void Verifier::Impl::conclude(Proving& proving, const Tried* proven) const {
  CheckResult result = judge_account(proving.request, proving.passdb, proving.account,
                                     proving.parsed, std::move(proving.facts), proven);
  // What was found wrong without asking takes as long as if it had been asked.
  const bool is_asked = proving.asked_for_password;
  if (proven != nullptr && !is_asked && !proven->matched) result.as_if = wrong_times_.next();
  proving.done(std::move(result));
}

void Verifier::Impl::ask_for_certain(Progress at, std::string username, Time now,
                                     Found done) const {
  auto name = std::make_shared<const std::string>(std::move(username));
  ask(at, *name, now,
      [this, name, now, done = std::move(done)](const Passdb* passdb, Lookup found, Progress here) {
        if (!is_presumed(found)) return done(passdb, std::move(found), here);
        const auto account = std::make_shared<Account>(std::get<Account>(std::move(found)));
        const auto authenticator = account->authenticator;
        const auto judged = [this, name, now, done, passdb, here,
                             account](const ProofResult& result) {
          switch (result.verdict) {
            case ProofVerdict::kDisabled:
              account->disabled = true;
              break;
            case ProofVerdict::kRight:
            case ProofVerdict::kWrong:
              break;
            case ProofVerdict::kUnavailable:
              note_down(here.index, result.reason, now);
              return ask_for_certain({here.index + 1, true}, *name, now, done);
            case ProofVerdict::kUnknownUser:
              note_up(here.index);
              return ask_for_certain({here.index + 1, here.any_down}, *name, now, done);
          }
          note_up(here.index);
          done(passdb, std::move(*account), here);
        };
        authenticator->authenticate({NoProof{}, {}, {}, now + kLookupPatience}, judged);
      });
}

}  // namespace saslatch::passdb
