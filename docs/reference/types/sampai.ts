// Written by `python -m docs.generate` from the JSON Schemas, version 0.1.0. Do not edit.

/** A file of an e-mail. */
export interface AttachmentContent {
  file_name: string;
  content_base64: string;
}

/** Contact lists or groups kept at the vendor, instead of a recipient. */
export interface Audience {
  lists: Array<string>;
}

/** A request to cancel a message that has not been sent. */
export interface CancelRequest {
  cancel: string;
}

export type Category = "otp" | "transactional" | "promotional";

export type Channel = "sms" | "whatsapp" | "whatsapp_official" | "email";

/** An e-mail to one recipient. The body is plain text or HTML. */
export interface EmailContent {
  type: "email";
  subject: string;
  body: string;
  reply_to?: string | null;
  cc?: Array<string>;
  bcc?: Array<string>;
  attachments?: Array<AttachmentContent>;
}

export type Encoding = "gsm7" | "ucs2";

/** The reason why a message failed, did not arrive, or waits for a further attempt. */
export interface FailureDetail {
  reason: Reason;
  /** The vendor's own code, if it gave one. */
  provider_code: string | null;
  /** Our text: the field and the rule, or the event. Never a value. */
  detail: string | null;
}

/** A file, either at an address that the vendor fetches or in the request itself. Sampai never fetches it. */
export interface MediaContent {
  type: "media";
  /** https; fetched by the vendor. */
  media_url?: string | null;
  /** The file itself. Requires file_name. */
  media_base64?: string | null;
  file_name?: string | null;
  caption?: string | null;
}

/** A person sent us a message. */
export interface MessageReceived {
  /** The provider that received it. */
  provider: string;
  /** The medium. */
  channel: Channel;
  /** The vendor's id, if it gave one. */
  provider_message_id: string | null;
  /** The full number in E.164, so that it can be answered; else as the vendor gave it. */
  sender: string;
  /** The number that received it, as the vendor gives it. */
  recipient: string | null;
  /** The full text. Empty for a picture. */
  text: string;
  /** The conversation, on whatsapp_official. */
  room_id: string | null;
  /** The vendor's time, or else ours, in UTC. */
  received_at: string;
}

/** A message has a new status. */
export interface MessageStatusChanged {
  /** The caller's id; the SQS message id if it could not be read. */
  message_id: string;
  /** 1, 2, … without gaps for each message. */
  sequence: number;
  /** The new status. */
  status: Status;
  /** Null in the first event. */
  previous_status: Status | null;
  /** The medium. */
  channel: Channel;
  /** Masked: country code and last three digits, or first character and domain. Null if unknown. */
  recipient: string | null;
  /** The provider that has the message, or had it last. */
  provider: string | null;
  /** The vendor's id, once it is known. */
  provider_message_id: string | null;
  /** The vendor's time of the change, or else ours, in UTC. Order events by sequence instead. */
  occurred_at: string;
  /** The origin of the change. */
  source: Source;
  /** Set for failed and undelivered, and for queued after a refusal. */
  failure: FailureDetail | null;
  /** As in the request. */
  metadata: Record<string, string>;
  /** Billed segments of the text of an SMS. Null for any other message. */
  segments: number | null;
  /** Of the text of an SMS. Null for any other message. */
  encoding: Encoding | null;
  /** The vendor's own text. Null if it told none. */
  cost: string | null;
  /** Who sent the request: the name in the settings, or the unique id of the IAM user or role, or null if it is not known. */
  caller: string | null;
}

export type OnUnknown = "hold" | "resend";

/** A request to allow promotional messages to a number or an e-mail address again. */
export interface OptInRequest {
  opt_in: unknown;
  /** Time of the recipient's wish. Default: when SQS took the request. */
  at?: string | null;
}

/** A request to send a number or an e-mail address no more promotional messages. */
export interface OptOutRequest {
  opt_out: unknown;
  /** Time of the recipient's wish. Default: when SQS took the request. */
  at?: string | null;
}

export type Reason = "invalid_request" | "invalid_recipient" | "invalid_sender" | "invalid_content" | "too_long" | "unsupported" | "unroutable" | "opted_out" | "blocked" | "expired" | "insufficient_credit" | "authentication" | "rate_limited" | "template_rejected" | "window_closed" | "unreachable" | "provider_error";

/** A request changed nothing: its id belongs to a different request, or the body could not be read. */
export interface RequestRejected {
  /** The caller's id, or the SQS message id if it could not be read. */
  message_id: string;
  reason: "id_conflict" | "invalid_request";
  /** The field and the rule, never the value. */
  detail: string;
  /** Who sent the request: the name in the settings, or the unique id of the IAM user or role, or null if it is not known. */
  caller: string | null;
}

/** A request to send one message. */
export interface SendRequest {
  /** The caller's own id and idempotency key: one id is always the same message. */
  message_id: string;
  channel?: Channel;
  /** E.164 with +, or an e-mail address on email. Required unless audience or room_id is given. */
  recipient?: string | null;
  /** Lists kept at the vendor, instead of a recipient. */
  audience?: Audience | null;
  /** The conversation to reply in; whatsapp_official only. */
  room_id?: string | null;
  /** Sender id or label; on email an address, or a name with one. Default: the sender in the settings. */
  sender?: string | null;
  content: TextContent | MediaContent | TemplateContent | EmailContent;
  category?: Category;
  /** Name of a provider; without it the route decides. */
  provider?: string | null;
  /** At most 366 days ahead; in the past means now. */
  send_at?: string | null;
  /** No vendor call starts at or after it. At most 366 days ahead. */
  expires_at?: string | null;
  on_unknown?: OnUnknown;
  /** Echoed in every event, never sent to a vendor. */
  metadata?: Record<string, string>;
  /** By provider; at most 4096 bytes of JSON. */
  provider_options?: Record<string, Record<string, unknown>>;
}

/** The origin of a status change. */
export type Source = "send" | "webhook" | "poll" | "sweep" | "caller";

export type Status = "scheduled" | "queued" | "sending" | "unknown" | "accepted" | "sent" | "unconfirmed" | "canceled" | "failed" | "undelivered" | "delivered" | "read";

/** A template that the vendor has approved, with the values of its placeholders. */
export interface TemplateContent {
  type: "template";
  template_id: string;
  /** header {format, params: [{key, value}]}, body [text or {key, value, value_text}], buttons [{index, type, value}]; or the list of the body alone. */
  parameters?: Record<string, unknown> | Array<unknown>;
  recipient_name?: string | null;
}

export interface TextContent {
  type: "text";
  text: string;
}
