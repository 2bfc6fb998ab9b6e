/** Configurations of OpenSSH's client; DIRECTORY and LOCALUSER are put in by the tests. */

/** Of public reports, one `Host` or `Match` each. */
export const CASES = `
Host xen1
  HostName 192.0.2.11
  User root
  IdentityAgent "~/Library/Group Containers/agent.sock"
  IdentityFile ~/.ssh/xen1.pub
  IdentitiesOnly yes
Match !exec "test 1 = 1" host *.lab.example,!jump*
  ProxyJump op@jump.lab.example
Match exec "test 1 = 1" host xen2.lab.example
  ProxyJump op@[2001:db8::5]:2222,second.lab.example
Host xen3
  ProxyCommand cloudflared access ssh --hostname %h
Host xen4
  HostName %h.lab.example
  ProxyJump ssh://op@bastion:2222
  UserKnownHostsFile "~/.ssh/known hosts" ~/.ssh/kh_%h
  IdentityFile "~/.ssh/keys of %r/id"
  HostKeyAlias xen-four
Host bastion
  HostName 192.0.2.1
  User hop
  Port 22022
Host xen5
  ProxyCommand ssh -W %h:%p bastion
Host xen6 xen7
  HostName fe80::1%eth0
  Port 2022
  User CORP\\admin
Host x8
  ProxyCommand none
  ProxyJump bastion
Include DIRECTORY/inc*.conf
Host *
  User everyone
  ServerAliveInterval 30
`

/** What the Includes of both find. */
export const INCLUDED = `
Host work1
  HostName 192.0.2.77
  User wk
Match originalhost work2 user boss
  HostName 192.0.2.78
`

/** Every way of writing that the client takes. */
export const MORE = `
Include DIRECTORY/inc*.conf
Match exec "test %h = by-exec -a %n = by-exec -a %u = LOCALUSER"
  HostName 192.0.2.20
Match host=192.0.2.20 !originalhost nobody,no* !user root
  User from-host
Match originalhost stranger localuser nobody-here
  User never
Host zone
  HostName fe80::1%%h0
Host first
  ProxyJump none
  ProxyCommand nc %h
Host third
  ProxyJump gate # comment
  ProxyCommand nc %h
Host second
  ProxyCommand nc %h
  ProxyJump gate
Host tokens
  IdentityFile %d/.ssh/%n-%r-%p-%L-%u-%i-%k%%h
  CertificateFile "~/a b/%C"
  IdentityAgent \${HOME}/agents/%r
  UserKnownHostsFile %d/a%%b "/srv/one two" '/srv/it''s' /srv/c\\ d "/srv/e /f"
  GlobalKnownHostsFile "/etc/known of %h" none-here
  AddressFamily inet6
  BindAddress ::1
  ConnectTimeout 4
  User=u=1
  Port = 2200
Host two
  UserKnownHostsFile /srv/one two /srv/its
Host nothing
  UserKnownHostsFile none
  GlobalKnownHostsFile none
  IdentityFile none
  IdentityAgent none
Host relayed
  ProxyJump ssh://CORP%5Cme@gate/
Host tokenjump
  HostName %h.example
  ProxyJump %r@gw-%n:2200
  User op
Host !not-*  ?ot-*
  User glob
Host b#a "b c"
  User hash # comment
Host unset
  IdentityFile \${PENGX_NO_SUCH}/id
Host foreign
  IdentityFile ~nobody-of-this-name/id
Host unknown-token
  ProxyCommand nc %z
`
