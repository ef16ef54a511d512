// Written by `python -m docs.generate` from the JSON Schemas, version 0.1.0. Do not edit.
package sampai;

import java.util.List;
import java.util.Map;

public final class Sampai {
    private Sampai() {}

    /** A file of an e-mail. */
    public record AttachmentContent(
        String file_name,
        String content_base64) {}

    /** Contact lists or groups kept at the vendor, instead of a recipient. */
    public record Audience(
        List<String> lists) {}

    /** A request to cancel a message that has not been sent. */
    public record CancelRequest(
        String cancel) {}

    public enum Category { otp, transactional, promotional }

    public enum Channel { sms, whatsapp, whatsapp_official, email }

    /** An e-mail to one recipient. The body is plain text or HTML. */
    public record EmailContent(
        String type,
        String subject,
        String body,
        String reply_to,
        List<String> cc,
        List<String> bcc,
        List<AttachmentContent> attachments) implements Content {
        public EmailContent(String subject, String body, String reply_to, List<String> cc, List<String> bcc, List<AttachmentContent> attachments) { this("email", subject, body, reply_to, cc, bcc, attachments); }
    }

    public enum Encoding { gsm7, ucs2 }

    /** The reason why a message failed, did not arrive, or waits for a further attempt. */
    public record FailureDetail(
        Reason reason,
        /** The vendor's own code, if it gave one. */
        String provider_code,
        /** Our text: the field and the rule, or the event. Never a value. */
        String detail) {}

    /** A file, either at an address that the vendor fetches or in the request itself. Sampai never fetches it. */
    public record MediaContent(
        String type,
        /** https; fetched by the vendor. */
        String media_url,
        /** The file itself. Requires file_name. */
        String media_base64,
        String file_name,
        String caption) implements Content {
        public MediaContent(String media_url, String media_base64, String file_name, String caption) { this("media", media_url, media_base64, file_name, caption); }
    }

    /** A person sent us a message. */
    public record MessageReceived(
        /** The provider that received it. */
        String provider,
        /** The medium. */
        Channel channel,
        /** The vendor's id, if it gave one. */
        String provider_message_id,
        /** The full number in E.164, so that it can be answered; else as the vendor gave it. */
        String sender,
        /** The number that received it, as the vendor gives it. */
        String recipient,
        /** The full text. Empty for a picture. */
        String text,
        /** The conversation, on whatsapp_official. */
        String room_id,
        /** The vendor's time, or else ours, in UTC. */
        String received_at) {}

    /** A message has a new status. */
    public record MessageStatusChanged(
        /** The caller's id; the SQS message id if it could not be read. */
        String message_id,
        /** 1, 2, … without gaps for each message. */
        Long sequence,
        /** The new status. */
        Status status,
        /** Null in the first event. */
        Status previous_status,
        /** The medium. */
        Channel channel,
        /** Masked: country code and last three digits, or first character and domain. Null if unknown. */
        String recipient,
        /** The provider that has the message, or had it last. */
        String provider,
        /** The vendor's id, once it is known. */
        String provider_message_id,
        /** The vendor's time of the change, or else ours, in UTC. Order events by sequence instead. */
        String occurred_at,
        /** The origin of the change. */
        Source source,
        /** Set for failed and undelivered, and for queued after a refusal. */
        FailureDetail failure,
        /** As in the request. */
        Map<String, String> metadata,
        /** Billed segments of the text of an SMS. Null for any other message. */
        Long segments,
        /** Of the text of an SMS. Null for any other message. */
        Encoding encoding,
        /** The vendor's own text. Null if it told none. */
        String cost,
        /** Who sent the request: the name in the settings, or the unique id of the IAM user or role, or null if it is not known. */
        String caller) {}

    public enum OnUnknown { hold, resend }

    /** A request to allow promotional messages to a number or an e-mail address again. */
    public record OptInRequest(
        String opt_in,
        /** Time of the recipient's wish. Default: when SQS took the request. */
        String at) {}

    /** A request to send a number or an e-mail address no more promotional messages. */
    public record OptOutRequest(
        String opt_out,
        /** Time of the recipient's wish. Default: when SQS took the request. */
        String at) {}

    public enum Reason { invalid_request, invalid_recipient, invalid_sender, invalid_content, too_long, unsupported, unroutable, opted_out, blocked, expired, insufficient_credit, authentication, rate_limited, template_rejected, window_closed, unreachable, provider_error }

    /** A request changed nothing: its id belongs to a different request, or the body could not be read. */
    public record RequestRejected(
        /** The caller's id, or the SQS message id if it could not be read. */
        String message_id,
        String reason,
        /** The field and the rule, never the value. */
        String detail,
        /** Who sent the request: the name in the settings, or the unique id of the IAM user or role, or null if it is not known. */
        String caller) {}

    /** A request to send one message. */
    public record SendRequest(
        /** The caller's own id and idempotency key: one id is always the same message. */
        String message_id,
        Channel channel,
        /** E.164 with +, or an e-mail address on email. Required unless audience or room_id is given. */
        String recipient,
        /** Lists kept at the vendor, instead of a recipient. */
        Audience audience,
        /** The conversation to reply in; whatsapp_official only. */
        String room_id,
        /** Sender id or label; on email an address, or a name with one. Default: the sender in the settings. */
        String sender,
        Content content,
        Category category,
        /** Name of a provider; without it the route decides. */
        String provider,
        /** At most 366 days ahead; in the past means now. */
        String send_at,
        /** No vendor call starts at or after it. At most 366 days ahead. */
        String expires_at,
        OnUnknown on_unknown,
        /** Echoed in every event, never sent to a vendor. */
        Map<String, String> metadata,
        /** By provider; at most 4096 bytes of JSON. */
        Map<String, Map<String, Object>> provider_options) {}

    /** The origin of a status change. */
    public enum Source { send, webhook, poll, sweep, caller }

    public enum Status { scheduled, queued, sending, unknown, accepted, sent, unconfirmed, canceled, failed, undelivered, delivered, read }

    /** A template that the vendor has approved, with the values of its placeholders. */
    public record TemplateContent(
        String type,
        String template_id,
        /** header {format, params: [{key, value}]}, body [text or {key, value, value_text}], buttons [{index, type, value}]; or the list of the body alone. */
        Object parameters,
        String recipient_name) implements Content {
        public TemplateContent(String template_id, Object parameters, String recipient_name) { this("template", template_id, parameters, recipient_name); }
    }

    public record TextContent(
        String type,
        String text) implements Content {
        public TextContent(String text) { this("text", text); }
    }

    public sealed interface Content permits TextContent, MediaContent, TemplateContent, EmailContent {}
}
