#include "daemon/session/master_session.h"

#include <utility>
#include <variant>

namespace saslatch {

// Both jobs reach the session through its mailbox: `session` is used only while it is alive.

class MasterSession::LookupJob final : public QueuedCheck {
 public:
  LookupJob(MasterSession* session, std::shared_ptr<const Settings> settings, uint32_t id,
            std::string name, Now now)
      : QueuedCheck(false, session->parts_.connection, now.mono + settings->max_hold),
        session_(session),
        mailbox_(session->parts_.mailbox),
        settings_(std::move(settings)),
        id_(id),
        name_(std::move(name)),
        asked_(now.mono) {}

  void run() override {
    settings_->verifier->lookup(
        name_, asked_,
        [session = session_, mailbox = mailbox_, settings = settings_,
         id = id_](passdb::Lookup lookup) { answer(session, mailbox, id, std::move(lookup)); });
  }
  void overload() override {
    answer(session_, mailbox_, id_, passdb::Unavailable{"too much waits already"});
  }

 private:
  static void answer(MasterSession* session, const std::shared_ptr<Mailbox>& mailbox, uint32_t id,
                     passdb::Lookup lookup) {
    // A std::function must be copyable, and an Account holds secrets, which are not.
    auto shared = std::make_shared<passdb::Lookup>(std::move(lookup));
    mailbox->run([session, id, shared](Now) { session->on_found(id, *shared); });
  }

  MasterSession* session_;
  std::shared_ptr<Mailbox> mailbox_;
  std::shared_ptr<const Settings> settings_;
  uint32_t id_;
  std::string name_;
  Mono asked_;
};

class MasterSession::ListJob final : public QueuedCheck {
 public:
  ListJob(MasterSession* session, std::shared_ptr<const Settings> settings, uint32_t id,
          std::string mask, Now now)
      : QueuedCheck(false, session->parts_.connection, now.mono + settings->max_hold),
        session_(session),
        mailbox_(session->parts_.mailbox),
        settings_(std::move(settings)),
        id_(id),
        mask_(std::move(mask)) {}

  void run() override {
    std::vector<std::string> names;
    const bool is_whole = settings_->verifier->list(mask_, [&](std::string_view name) {
      names.emplace_back(name);
      return mailbox_->is_open();
    });
    answer(std::move(names), is_whole);
  }
  void overload() override { answer({}, false); }

 private:
  void answer(std::vector<std::string> names, bool is_whole) {
    mailbox_->run([session = session_, id = id_, names = std::move(names), is_whole](Now now) {
      session->on_listed(id, names, is_whole, now);
    });
  }

  MasterSession* session_;
  std::shared_ptr<Mailbox> mailbox_;
  std::shared_ptr<const Settings> settings_;
  uint32_t id_;
  std::string mask_;
};

MasterSession::MasterSession(SessionParts parts, std::optional<uint32_t> only_uid)
    : parts_(std::move(parts)), only_uid_(only_uid), server_(parts_.server_pid) {}

void MasterSession::receive(std::string_view bytes, Now now) {
  if (closing_ || ending_) return;
  server_.receive(bytes);
  pull(now);
}

void MasterSession::pull(Now now) {
  while (!closing_) {
    const std::optional<dovecot::MasterServer::Event> event = server_.next();
    if (!event) return;
    std::visit([&](const auto& request) { take(request, now); }, *event);
  }
}

void MasterSession::take(const dovecot::UserRequest& request, Now now) {
  std::optional<std::string> name = normalise_username(request.name, parts_.settings->usernames);
  if (!name) return server_.not_found(request.id);
  parts_.services.lookups.submit(
      std::make_unique<LookupJob>(this, parts_.settings, request.id, std::move(*name), now));
}

void MasterSession::take(const dovecot::ListRequest& request, Now now) {
  if (only_uid_) {
    server_.list_done(request.id, false);
    return say_restricted(request.id);
  }
  parts_.services.workers.submit(
      std::make_unique<ListJob>(this, parts_.settings, request.id, request.mask, now));
}

void MasterSession::take(const dovecot::ProtocolError& error, Now) {
  parts_.services.metrics.protocol_errors.add();
  parts_.log.warning("protocol-error",
                     "a client broke the master protocol; its connection is closed",
                     {{"listener", parts_.listener},
                      {"connection", std::to_string(parts_.connection)},
                      {"reason", error.reason}});
  closing_ = true;
}

void MasterSession::on_found(uint32_t id, const passdb::Lookup& lookup) {
  if (const auto* const account = std::get_if<passdb::Account>(&lookup)) {
    if (only_uid_ && account->uid.value_or(parts_.settings->nobody_uid) != *only_uid_) {
      server_.fail(id);
      return say_restricted(id);
    }
    server_.found(id, {.name = account->name,
                       .uid = account->uid.value_or(parts_.settings->nobody_uid),
                       .gid = account->gid.value_or(parts_.settings->nobody_gid),
                       .home = account->home});
  } else if (std::holds_alternative<passdb::UnknownUser>(lookup)) {
    server_.not_found(id);
  } else {
    server_.fail(id);
  }
}

void MasterSession::say_restricted(uint32_t id) {
  parts_.log.warning(
      "userdb-restricted",
      "a client that is neither the owner of a 0666 socket nor in its group asked for "
      "another user's account; use mode 0660 and the group of the mail server",
      {{"listener", parts_.listener},
       {"connection", std::to_string(parts_.connection)},
       {"request", std::to_string(id)},
       {"uid", std::to_string(*only_uid_)}});
}

void MasterSession::on_listed(uint32_t id, const std::vector<std::string>& names, bool is_whole,
                              Now now) {
  for (const std::string& name : names) server_.list_entry(id, name);
  server_.list_done(id, is_whole);
  pull(now);  // input waited behind the list
}

void MasterSession::end_of_input(Now) { ending_ = true; }

void MasterSession::drain(Now) { ending_ = true; }

bool MasterSession::is_over() const {
  return closing_ || (ending_ && server_.live_requests() == 0 && !server_.is_listing());
}

}  // namespace saslatch
