#include "daemon/passdb/passwd_entry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace saslatch::passdb {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Notes final : public PasswdNotes {
 public:
  void problem(std::string text) override { problems.push_back(std::move(text)); }
  void ignored(std::string_view field) override { fields.emplace_back(field); }

  std::vector<std::string> problems;
  std::vector<std::string> fields;
};

// One line read as a lookup of `asked` reads it.
struct Read {
  Notes notes;
  std::optional<Account> account;

  explicit Read(std::string_view line, std::string_view asked = "erin@example.com",
                bool lowercase = true) {
    const auto fields = split_passwd_line(line);
    EXPECT_TRUE(fields && *fields) << line;
    if (!fields || !*fields) return;
    const IdNames ids{{{"mail", 8}, {"root", 0}}, {{"mail", 12}}};
    account.emplace();
    if (!read_passwd_entry(**fields, asked, {"CRYPT", lowercase}, ids, &notes, *account)) {
      account.reset();
    }
  }
  std::string password() const {
    return account->credentials.empty() ? "" : std::string(account->credentials[0].reveal());
  }
};

// What an account's networks say of an address; "" is no address.
bool is_allowed(const Account& account, std::string_view address) {
  if (!account.allow_nets) return true;
  const auto rip = IpAddress::parse(address);
  if (!rip) return account.allow_local;
  for (const Network& network : *account.allow_nets) {
    if (network.contains(*rip)) return true;
  }
  return false;
}

TEST(PasswdLine, SkipsWhatIsNoAccount) {
  for (const char* line : {"", "#erin:x", ":x", "#"}) {
    const auto fields = split_passwd_line(line);
    ASSERT_TRUE(fields) << line;
    EXPECT_FALSE(*fields) << line;
  }
}

TEST(PasswdLine, RefusesWhatCanBeNoAccountAndQuotesNothingOfIt) {
  const std::string lines[] = {std::string("erin:se\0cret", 12), "er\tin:secret", "er\x7fin:secret",
                               std::string(1025, 'e') + ":secret",
                               "erin:secret" + std::string(kMaxPasswdLine, 'x')};
  for (const std::string& line : lines) {
    const auto fields = split_passwd_line(line);
    ASSERT_FALSE(fields) << line.substr(0, 20);
    EXPECT_EQ(fields.error().message.find("secret"), std::string::npos);
  }
}

TEST(PasswdLine, JoinsTheExtraFieldsThatAColonSplit) {
  const auto fields = split_passwd_line("erin:pw:1:2:Erin:/home/e:/bin/sh:allow_nets=::1 nodelay");
  ASSERT_TRUE(fields && *fields);
  EXPECT_EQ((*fields)->password, "pw");
  EXPECT_EQ((*fields)->uid, "1");
  EXPECT_EQ((*fields)->gid, "2");
  EXPECT_EQ((*fields)->home, "/home/e");
  EXPECT_EQ((*fields)->extra, "allow_nets=::1 nodelay");
}

TEST(PasswdEntry, ReadsThePasswordWithItsScheme) {
  const struct {
    const char* field;
    const char* stored;
  } kCases[] = {
      {"{SSHA256}abc", "{SSHA256}abc"},
      {"{plain}pw", "{plain}pw"},
      {"$6$salt$hash", "{CRYPT}$6$salt$hash"},
      {"$1$salt$hash", "{MD5-CRYPT}$1$salt$hash"},
      {"abJnggxhB/yWI[13]", "{CRYPT}abJnggxhB/yWI"},
      {"0123456789abcdef0123456789abcdef[34]", "{PLAIN-MD5}0123456789abcdef0123456789abcdef"},
      {"0123456789abcdef0123456789abcdef[56]", "{DIGEST-MD5}0123456789abcdef0123456789abcdef"},
      {"{PLAIN}pw[34]", "{PLAIN}pw[34]"},
      {"", ""}};
  for (const auto& c : kCases) {
    EXPECT_EQ(Read("erin:" + std::string(c.field)).password(), c.stored) << c.field;
  }
  EXPECT_THAT(Read("erin").account->credentials, IsEmpty());
}

TEST(PasswdEntry, MapsTheName) {
  const struct {
    const char* fields;
    const char* name;
  } kCases[] = {
      {"", "erin@example.com"},
      {"user=bob@b.org", "bob@b.org"},
      {"user=Bob", "bob"},
      {"username=bob", "bob@example.com"},
      {"username=bob@b.org", "bob@b.org"},
      {"domain=b.org", "erin@b.org"},
      {"domain=", "erin"},
      {"username=bob domain=b.org", "bob@b.org"},
      {"user=a=b@c", "a=b@c"},
      {"user=bob user:default=eve", "bob"},
      {"user:protected=bob", "bob"},
  };
  for (const auto& c : kCases) {
    const Read read("erin@example.com:{PLAIN}x::::::" + std::string(c.fields));
    EXPECT_EQ(read.account->name, c.name) << c.fields;
    EXPECT_FALSE(read.account->disabled) << c.fields;
    EXPECT_THAT(read.notes.problems, IsEmpty()) << c.fields;
  }
  EXPECT_EQ(Read("erin:x::::::user=Bob", "erin", false).account->name, "Bob");
  EXPECT_EQ(Read("erin:x::::::domain=b.org", "erin").account->name, "erin@b.org");
}

TEST(PasswdEntry, DisablesWhatMapsToNoName) {
  for (const char* field : {"user=", "user", "username=", "user=a\tb"}) {
    const Read read("erin:{PLAIN}x::::::" + std::string(field));
    EXPECT_TRUE(read.account->disabled) << field;
    EXPECT_THAT(read.notes.problems, ElementsAre(HasSubstr("disabled"))) << field;
  }
}

TEST(PasswdEntry, ObeysNetworks) {
  const struct {
    const char* field;
    const char* address;
    bool allowed;
  } kCases[] = {
      {"", "192.0.2.1", true},
      {"", "", true},
      {"allow_nets=192.0.2.0/24", "192.0.2.1", true},
      {"allow_nets=192.0.2.0/24", "192.0.3.1", false},
      {"allow_nets=192.0.2.0/24", "", false},
      {"allow_nets=192.0.2.0/24", "::ffff:192.0.2.7", true},
      {"allow_nets=10.0.0.0/8,::1", "::1", true},
      {"allow_nets=local", "", true},
      {"allow_nets=local", "127.0.0.1", false},
      {"allow_nets=10.0.0.1,local", "10.0.0.1", true},
      {"allow_nets=", "192.0.2.1", false},
      {"allow_nets", "192.0.2.1", false},
      {"allow_nets:default=10.0.0.0/8", "192.0.2.1", false},
      {"allow_nets=10.0.0.0/8 allow_nets:default=0.0.0.0/0", "192.0.2.1", false},
      {"allow_nets=10.0.0.0/8 allow_nets=192.0.2.0/24", "192.0.2.1", true},
      {"allow_nets=10.0.0.0/8 allow_nets=192.0.2.0/24", "10.0.0.1", false},
      {"allow_real_nets=10.0.0.0/8", "192.0.2.1", false},
      {"allow_real_nets=0.0.0.0/0 allow_nets=10.0.0.0/8", "192.0.2.1", false},
      {"allow_nets=10.0.0.0/8 allow_real_nets=0.0.0.0/0", "192.0.2.1", false},
      {"allow_nets=10.0.0.0/33,192.0.2.1", "192.0.2.1", true},
      {"allow_nets=nonsense", "192.0.2.1", false},
  };
  for (const auto& c : kCases) {
    const Read read("erin:x::::::" + std::string(c.field));
    EXPECT_EQ(is_allowed(*read.account, c.address), c.allowed) << c.field << " " << c.address;
  }
  EXPECT_THAT(Read("erin:x::::::allow_nets=10.0.0.0/33").notes.problems,
              ElementsAre(HasSubstr("accepted: addresses")));
}

TEST(PasswdEntry, TakesABooleanForTrueByItsPresence) {
  EXPECT_TRUE(Read("erin:x::::::nodelay=no").account->nodelay);
  EXPECT_TRUE(Read("erin:x::::::nologin=no").account->disabled);
  EXPECT_TRUE(Read("erin:x::::::fail").account->disabled);
  EXPECT_TRUE(Read("erin:::::::nopassword").account->nopassword);
  EXPECT_FALSE(Read("erin:x::::::").account->nodelay);
  EXPECT_FALSE(Read("erin:x::::::noauthenticate").account);
}

TEST(PasswdEntry, PrefersAPasswordToNopassword) {
  const Read read("erin:{PLAIN}x::::::nopassword");
  EXPECT_FALSE(read.account->nopassword);
  EXPECT_THAT(read.notes.problems, ElementsAre(HasSubstr("the password counts")));
}

TEST(PasswdEntry, ReportsEveryFieldItDoesNotObey) {
  const Read read(
      "erin:x::::::proxy host=10.0.0.1 userdb_mail=maildir:~/M  nodelay reason=x "
      "allow_nets:remove event_a=b");
  EXPECT_THAT(read.notes.fields, ElementsAre("proxy", "host", "userdb_mail", "reason",
                                             "allow_nets:remove", "event_a"));
  EXPECT_THAT(read.notes.problems, IsEmpty());
  EXPECT_TRUE(read.account->nodelay);
}

TEST(PasswdEntry, KnowsTheUserdb) {
  const Read numbers("erin:x:1000:100::/home/erin");
  EXPECT_EQ(numbers.account->uid, 1000u);
  EXPECT_EQ(numbers.account->gid, 100u);
  EXPECT_EQ(numbers.account->home, "/home/erin");
  EXPECT_TRUE(numbers.account->in_userdb);

  const Read names("erin:x:mail:mail");
  EXPECT_EQ(names.account->uid, 8u);
  EXPECT_EQ(names.account->gid, 12u);

  const Read extra("erin:x::::::userdb_uid=5 userdb_gid=mail userdb_home=/e");
  EXPECT_EQ(extra.account->uid, 5u);
  EXPECT_EQ(extra.account->gid, 12u);
  EXPECT_EQ(extra.account->home, "/e");

  const Read none("erin:x");
  EXPECT_FALSE(none.account->uid);
  EXPECT_TRUE(none.account->in_userdb);

  EXPECT_FALSE(Read("erin:x:0").account->in_userdb);
  EXPECT_FALSE(Read("erin:x:root").account->in_userdb);
  EXPECT_FALSE(Read("erin:x::::::userdb_uid=0").account->in_userdb);

  for (const char* uid : {"4294967295", "99999999999", "-1", "nobody-here", "1x"}) {
    const Read bad("erin:x:" + std::string(uid));
    EXPECT_FALSE(bad.account->uid) << uid;
    EXPECT_THAT(bad.notes.problems, ElementsAre(HasSubstr("uid"))) << uid;
  }
}

TEST(PasswdEntry, NamesTheIdsThatTheSystemMustResolve) {
  const auto ids_of = [](std::string_view line) {
    const NamedIds ids = named_ids(**split_passwd_line(line));
    return std::string(ids.user) + "/" + std::string(ids.group);
  };
  EXPECT_EQ(ids_of("erin:x:1000:100"), "/");
  EXPECT_EQ(ids_of("erin:x:mail:staff"), "mail/staff");
  EXPECT_EQ(ids_of("erin:x::::::nodelay userdb_uid=mail userdb_gid=8"), "mail/");
}

}  // namespace
}  // namespace saslatch::passdb
