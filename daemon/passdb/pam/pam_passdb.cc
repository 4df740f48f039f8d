#include "daemon/passdb/pam/pam_passdb.h"

#include <algorithm>
#include <utility>

#include "daemon/passdb/connection_pool.h"
#include "daemon/passdb/pam/pam_worker.h"

namespace saslatch::passdb {
namespace {

using Time = std::chrono::steady_clock::time_point;

// Of the system nobody: no such name can be made.
constexpr const char* kNobody = "saslatch:nobody";

}  // namespace

class PamPassdb::Impl : public std::enable_shared_from_this<PamPassdb::Impl> {
 public:
  using Pool = ConnectionPool<PamWorker>;

  Impl(const PassdbSettings& settings, const PassdbParts& parts)
      : settings_(settings),
        parts_(parts),
        answer_(std::min(settings.server.timeout, parts.max_hold * 9 / 10)),
        pool_(
            {settings.server.connections, answer_}, [this](const Waiter&, Time) { return open(); },
            parts.clock, parts.random) {}

  void find(const std::string& username, std::function<void(Lookup)> done);
  void judge(const std::string& user, ProofRequest request, std::function<void(ProofResult)> done);
  [[nodiscard]] Result<void> check_usable();
  [[nodiscard]] const PassdbSettings& settings() const { return settings_; }
  [[nodiscard]] Pool& pool() { return pool_; }

 private:
  [[nodiscard]] Result<std::unique_ptr<PamWorker>> open() const;

  const PassdbSettings settings_;
  const PassdbParts parts_;
  const std::chrono::milliseconds answer_;
  Pool pool_;  // last: its threads use the others
};

namespace {

// Judges one user by PAM.
class PamAuthenticator final : public Authenticator {
 public:
  using Judge = std::function<void(ProofRequest, std::function<void(ProofResult)>)>;
  explicit PamAuthenticator(Judge judge) : judge_(std::move(judge)) {}
  void authenticate(ProofRequest request, std::function<void(ProofResult)> done) override {
    judge_(std::move(request), std::move(done));
  }

 private:
  const Judge judge_;
};

}  // namespace

Result<std::unique_ptr<PamWorker>> PamPassdb::Impl::open() const {
  const PamSettings& pam = settings_.pam;
  if (!pam.socket.empty()) return PamWorker::connect(pam.socket);
  // Its alarm is for when we are gone: we kill it before.
  const auto patience = std::chrono::ceil<std::chrono::seconds>(answer_).count() + 1;
  std::vector<std::string> command = {
      pam.worker.empty() ? SASLATCH_LIBEXEC_DIR "/saslatch-pam-worker" : pam.worker, "--service",
      pam.service, "--timeout", std::to_string(patience)};
  if (!pam.service_dir.empty()) command.insert(command.end(), {"--confdir", pam.service_dir});
  return PamWorker::start(command);
}

void PamPassdb::Impl::find(const std::string& username, std::function<void(Lookup)> done) {
  std::string user = username;
  if (settings_.pam.user == PamSettings::User::kLocalPart)
    user.resize(std::min(user.find('@'), user.size()));
  if (user.empty()) return done(UnknownUser{});
  Account account;
  account.name = user;
  account.is_presumed = true;
  account.right_lasts = settings_.cache;
  account.authenticator = std::make_shared<PamAuthenticator>(
      [self = shared_from_this(), user](ProofRequest request, auto judged) {
        self->judge(user, std::move(request), std::move(judged));
      });
  done(std::move(account));
}

void PamPassdb::Impl::judge(const std::string& user, ProofRequest request,
                            std::function<void(ProofResult)> done) {
  PamQuestion question;
  question.service = settings_.pam.service;
  question.user = user;
  if (request.rip) question.rhost = request.rip->to_string();
  if (auto* shown = std::get_if<PasswordProof>(&request.proof)) {
    question.password = std::move(shown->password);
  } else {
    question.account_only = true;
  }
  auto frame = encode(question);
  // What PAM cannot even be asked is nobody's password.
  if (!frame) return done({ProofVerdict::kWrong, frame.error().message, {}});
  struct Asked {
    Secret frame;
    Time deadline;
    std::function<void(ProofResult)> done;
  };
  const auto asked =
      std::make_shared<const Asked>(Asked{*std::move(frame), request.deadline, std::move(done)});
  pool_.submit({[self = shared_from_this(), asked](PamWorker& worker, const Waiter& waiter,
                                                   Time deadline) -> JobEnd {
                  const Time begun = self->parts_.clock();
                  deadline = std::min(deadline, asked->deadline);
                  if (begun >= deadline) {
                    asked->done({ProofVerdict::kUnavailable, "nobody waits for it any longer", {}});
                    return {};
                  }
                  PamAnswer answer;
                  JobEnd end = worker.ask(asked->frame, answer, waiter, deadline);
                  if (end.kind != JobEnd::Kind::kAnswered) return end;
                  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(
                      self->parts_.clock() - begun);
                  asked->done({answer.verdict, std::move(answer.reason), took});
                  return {};
                },
                [asked](std::string reason) {
                  asked->done({ProofVerdict::kUnavailable, std::move(reason), {}});
                }});
}

Result<void> PamPassdb::Impl::check_usable() {
  const auto worker = open();
  if (!worker) return tl::unexpected(worker.error());
  PamQuestion question;
  question.service = settings_.pam.service;
  question.user = kNobody;
  question.account_only = true;
  const auto frame = encode(question);
  if (!frame) return tl::unexpected(frame.error());
  PamAnswer answer;
  const Waiter waiter(parts_.clock);
  const JobEnd end = (*worker)->ask(*frame, answer, waiter, parts_.clock() + answer_);
  if (end.kind != JobEnd::Kind::kAnswered) return failure(end.reason);
  if (answer.verdict == ProofVerdict::kUnavailable) return failure(answer.reason);
  return {};
}

Result<std::shared_ptr<Passdb>> PamPassdb::make(const PassdbSettings& settings,
                                                const PassdbParts& parts) {
  if (settings.pam.service.find('/') != std::string::npos) {
    return failure("service: " + settings.pam.service + " is the name of a file in /etc/pam.d");
  }
  return std::shared_ptr<Passdb>(new PamPassdb(std::make_shared<Impl>(settings, parts)));
}

PamPassdb::PamPassdb(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

PamPassdb::~PamPassdb() = default;

std::string_view PamPassdb::name() const { return impl_->settings().name; }

void PamPassdb::find(std::string username, std::function<void(Lookup)> done) {
  impl_->find(username, std::move(done));
}

bool PamPassdb::list(std::string_view, const std::function<bool(std::string_view)>&) {
  return false;
}

TypicalCredential PamPassdb::typical_credential() const { return {"", 0, true}; }

PassdbStatus PamPassdb::status() const {
  const std::string trouble = impl_->pool().trouble();
  return {std::string(name()), "pam", trouble.empty(), trouble, {}};
}

Result<void> PamPassdb::check_usable() { return impl_->check_usable(); }

void PamPassdb::stop() { impl_->pool().stop(); }

}  // namespace saslatch::passdb
