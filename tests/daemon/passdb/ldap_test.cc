// What needs no server: names in filters and DNs, attributes, what answers mean. The rest is in
// tests/integration/test_directories.py.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <ldap.h>

#include "daemon/passdb/ldap/ldap_connection.h"
#include "daemon/passdb/ldap/ldap_text.h"
#include "daemon/password/verify.h"

namespace saslatch::passdb {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string filled(std::string_view text, std::string_view username) {
  const auto made = LdapTemplate::parse(text);
  if (!made) return "error: " + made.error().message;
  return made->fill(username).value_or("nobody");
}

TEST(LdapTemplate, PutsThePartsOfANameIn) {
  const std::tuple<const char*, const char*, const char*> kTable[] = {
      {"(uid=%u)", "alice", "(uid=alice)"},
      {"(|(mail=%u)(uid=%n))", "alice@example.com", "(|(mail=alice@example.com)(uid=alice))"},
      {"uid=%n,dc=%d", "alice@example.com", "uid=alice,dc=example.com"},
      {"(cn=100%% %u)", "x", "(cn=100% x)"},
      {"uid=%n,dc=%d", "alice", "nobody"},
      {"uid=%n,dc=%d", "alice@", "nobody"},
      {"uid=%n,dc=%d", "@example.com", "nobody"},
      {"(uid=%u)", "", "nobody"},
      {"(mail=%n)", "a@b@c", "(mail=a)"},
  };
  for (const auto& [text, name, expected] : kTable) EXPECT_EQ(filled(text, name), expected);
}

TEST(LdapTemplate, RefusesWhatMeansNothing) {
  EXPECT_THAT(filled("(uid=%x)", "a"), HasSubstr("'%x' means nothing"));
  EXPECT_THAT(filled("(uid=%u%", "a"), HasSubstr("means nothing"));
  EXPECT_THAT(filled("(uid=*)", "a"), HasSubstr("everybody"));
  EXPECT_THAT(filled("(dc=%d)", "a@b"), HasSubstr("everybody"));
}

TEST(LdapTemplate, LetsNoNameOutOfItsValue) {
  const std::pair<std::string, const char*> kTable[] = {
      {"*", "\\2A"},
      {"a)(uid=*", "a\\29\\28uid\\3D\\2A"},
      {"a\\", "a\\5C"},
      {"a,dc=evil", "a\\2Cdc\\3Devil"},
      {"a+cn=b", "a\\2Bcn\\3Db"},
      {" a ", "\\20a\\20"},
      {"#a", "\\23a"},
      {"\"<>;", "\\22\\3C\\3E\\3B"},
      {std::string("a\0b", 3), "a\\00b"},
      {"b\xc3\xbc", "b\\C3\\BC"},
      {"%u", "\\25u"},
  };
  for (const auto& [name, expected] : kTable) {
    EXPECT_EQ(filled("%u", name), expected);
    // As libldap reads it, the DN has one RDN, and its value is the name.
    LDAPDN dn = nullptr;
    const std::string text = filled("uid=%u,dc=example", name);
    ASSERT_EQ(ldap_str2dn(text.c_str(), &dn, LDAP_DN_FORMAT_LDAPV3), LDAP_SUCCESS) << text;
    ASSERT_NE(dn[1], nullptr);
    EXPECT_EQ(dn[2], nullptr) << text;
    EXPECT_EQ(dn[0][1], nullptr) << text;
    EXPECT_EQ(std::string(dn[0][0]->la_value.bv_val, dn[0][0]->la_value.bv_len), name);
    ldap_dnfree(dn);
  }
}

TEST(LdapAttributes, AreReadAsWords) {
  const auto read = LdapAttributes::parse(" mail=user  mailNets=allow_nets loginDisabled=nologin ");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->user, "mail");
  EXPECT_THAT(read->names(), ElementsAre("mail", "loginDisabled", "mailNets"));
  for (const char* wrong : {"mail", "mail=", "=user", "mail=quota", "ma(il=user", "mail=user=x"}) {
    EXPECT_FALSE(LdapAttributes::parse(wrong)) << wrong;
  }
}

TEST(LdapPassword, IsReadAsDirectoriesKeepIt) {
  const std::pair<const char*, const char*> kTable[] = {
      {"secret", "{PLAIN}secret"},
      {"{oops", "{PLAIN}{oops"},
      {"{SSHA}bNaepUHvLE2wKFwR+srmbY0Mn28bLgLS8ywrVI+qjc8j5TKq", nullptr},
      {"{md5}Xr4ilOzQ4PCOq3aQ0qbuaQ==", "{LDAP-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ=="},
      {"{CRYPT}$6$x$y", nullptr},
  };
  for (const auto& [value, expected] : kTable) {
    EXPECT_EQ(stored_password_of_ldap(value), expected == nullptr ? value : expected);
  }
  const auto md5 = password::parse(stored_password_of_ldap("{MD5}XUFAKrxLKna5cZ2REBfFkg=="), "");
  ASSERT_TRUE(md5);
  EXPECT_EQ(password::verify(*md5, "hello"), password::Check::kMatch);
}

TEST(LdapBind, MeansWhatTheServerSays) {
  using V = ProofVerdict;
  const char* const kAd =
      "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data ";
  struct Case {
    int code;
    std::string text;
    int policy;
    ProofVerdict verdict;
  };
  const Case kTable[] = {
      {LDAP_SUCCESS, "", -1, V::kRight},
      {LDAP_SUCCESS, "", PP_changeAfterReset, V::kDisabled},
      {LDAP_INVALID_CREDENTIALS, "", -1, V::kWrong},
      {LDAP_INVALID_CREDENTIALS, "", PP_accountLocked, V::kDisabled},
      {LDAP_INVALID_CREDENTIALS, "", PP_passwordExpired, V::kDisabled},
      {LDAP_INVALID_CREDENTIALS, kAd + std::string("52e, v3839"), -1, V::kWrong},
      {LDAP_INVALID_CREDENTIALS, kAd + std::string("525, v3839"), -1, V::kUnknownUser},
      {LDAP_INVALID_CREDENTIALS, kAd + std::string("533, v3839"), -1, V::kDisabled},
      {LDAP_INVALID_CREDENTIALS, kAd + std::string("775, v3839"), -1, V::kDisabled},
      {LDAP_INVALID_CREDENTIALS, "the name has data 775 in it", -1, V::kWrong},
      {LDAP_INAPPROPRIATE_AUTH, "", -1, V::kWrong},
      {LDAP_NO_SUCH_OBJECT, "", -1, V::kUnknownUser},
      {LDAP_UNWILLING_TO_PERFORM, "Account inactivated", -1, V::kDisabled},
      {LDAP_CONSTRAINT_VIOLATION, "Exceed password retry limit", -1, V::kDisabled},
      {LDAP_BUSY, "", -1, V::kUnavailable},
      {LDAP_UNAVAILABLE, "", -1, V::kUnavailable},
      {LDAP_CONFIDENTIALITY_REQUIRED, "", -1, V::kUnavailable},
      {LDAP_REFERRAL, "", -1, V::kUnavailable},
      {LDAP_OTHER, "", -1, V::kUnavailable},
  };
  for (const Case& c : kTable)
    EXPECT_EQ(verdict_of_bind(c.code, c.text, c.policy), c.verdict) << c.code << " " << c.text;
}

}  // namespace
}  // namespace saslatch::passdb
